"""A budget is never exceeded by what was reserved, and remembers what was spent."""

import gc
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.exceptions import BudgetExceededError, ClientSetupError, StateError
from ferrogen.models.middleware import Budget, Spending

AMOUNTS = st.builds(
    Spending, calls=st.integers(0, 3), tokens=st.integers(0, 50), cost=st.integers(0, 8)
)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"calls": 1}, "the call may take 1 calls, but of the budget of 1 there are 0 left"),
        ({"tokens": 120}, "the call may take 70 tokens, but of the budget of 120 there are 50"),
        (
            {"cost": 0.6},
            r"take 0\.5 dollars, but of the budget of 0\.6 there are 0\.1 left",
        ),
    ],
)
def test_what_may_not_fit_is_refused_while_others_are_under_way(limits, words):
    budget = Budget(**limits)
    first = budget.reserve(Spending(calls=1, tokens=70, cost=0.5))
    with pytest.raises(BudgetExceededError, match=words):
        budget.reserve(Spending(calls=1, tokens=70, cost=0.5))
    first.end(Spending())
    budget.reserve(Spending(calls=1, tokens=70, cost=0.5))


def test_a_reservation_ends_once():
    budget = Budget()
    reservation = budget.reserve(Spending(calls=1, tokens=70))
    reservation.end(Spending(calls=1, tokens=60))
    reservation.end(Spending(calls=1, tokens=60))
    assert (budget.spent, budget.reserved) == (Spending(calls=1, tokens=60), Spending())


def test_a_budget_that_was_overdrawn_lets_nothing_through():
    budget = Budget(tokens=10)
    budget.reserve(Spending(tokens=5)).end(Spending(tokens=20))
    with pytest.raises(BudgetExceededError, match="there are 0 left"):
        budget.reserve(Spending(tokens=1))


@given(st.lists(st.tuples(AMOUNTS, AMOUNTS, st.booleans()), max_size=30))
def test_if_no_call_takes_more_than_it_reserved_the_limits_hold(calls):
    budget = Budget(calls=9, tokens=120, cost=20.0)
    held = Spending()
    for most, less, ends in calls:
        try:
            reservation = budget.reserve(most)
        except BudgetExceededError:
            continue
        if ends:
            reservation.end(Spending(*map(min, vars(most).values(), vars(less).values())))
        held = budget.spent + budget.reserved
        assert (held.calls <= 9, held.tokens <= 120, held.cost <= 20) == (True, True, True)


def test_what_was_spent_is_saved_and_loaded():
    budget = Budget(calls=5)
    budget.reserve(Spending(calls=1)).end(Spending(calls=1, tokens=7, cost=0.125))
    budget.reserve(Spending(calls=1))  # under way, and lost with the process
    again = Budget(calls=5)
    again.load_state(json.loads(json.dumps(budget.save_state())))
    assert again.spent == Spending(calls=1, tokens=7, cost=0.125)


@pytest.mark.parametrize(
    "state", [{}, {"calls": 1}, {"calls": "many", "tokens": 1, "cost": 0.0}, 3, [1]]
)
def test_what_is_no_state_of_a_budget_is_refused_and_changes_nothing(state):
    budget = Budget()
    with pytest.raises(StateError, match="not the saved state of a budget"):
        budget.load_state(state)
    assert budget.spent == Spending()


def test_a_name_stands_for_one_budget_while_it_is_referenced():
    first = Budget.named("project", cost=5.0)
    assert Budget.named("project", cost=5.0) is first
    with pytest.raises(ClientSetupError, match="there is a budget 'project' already"):
        Budget.named("project", cost=6.0)
    del first
    gc.collect()
    assert Budget.named("project", cost=6.0).cost == 6.0


def test_a_limit_below_nothing_is_refused():
    with pytest.raises(ClientSetupError, match="cost must be at least 0"):
        Budget(cost=-1.0)
