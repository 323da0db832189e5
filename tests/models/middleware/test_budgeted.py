"""No call is made that may exceed the budget; what calls took is spent."""

import asyncio

import pytest

from ferrogen.exceptions import BudgetExceededError, ClientSetupError
from ferrogen.models import ChatCompletionClient, CreateResult, RequestUsage
from ferrogen.models.middleware import Budget, Budgeted, Cached, Spending
from ferrogen.models.registry import register_models
from ferrogen.models.scripted import ScriptedClient
from ferrogen.models.usage import DetailedUsage

from .fakes import QUESTION, GatedClient, settled, text_and_result

LIMITED = {"extra_create_args": {"max_tokens": 6}}  # 10 tokens with the question


async def test_the_call_that_would_exceed_the_budget_is_not_made():
    inner = ScriptedClient(["left"] * 5)
    client = Budgeted(inner, Budget(tokens=20))
    for _ in range(3):  # 5 tokens each; then 5 are left
        await client.create(QUESTION, **LIMITED)
    with pytest.raises(BudgetExceededError, match=r"may take 10 tokens, .* 5 left"):
        await client.create(QUESTION, **LIMITED)
    assert (len(inner.requests), client.budget.spent.tokens) == (3, 15)


async def test_without_a_limit_the_configured_length_is_the_estimate():
    client = Budgeted(ScriptedClient(["left"]), Budget(tokens=260))
    await client.create(QUESTION)
    client = Budgeted(ScriptedClient(["left"]), Budget(tokens=260), answer_tokens=257)
    with pytest.raises(BudgetExceededError):
        await client.create(QUESTION)


async def test_calls_at_the_same_time_reserve_what_they_may_take():
    inner = GatedClient(["left"] * 3)
    client = Budgeted(inner, Budget(tokens=25))
    jobs = [asyncio.ensure_future(client.create(QUESTION, **LIMITED)) for _ in range(3)]
    await settled()
    assert client.budget.reserved == Spending(calls=2, tokens=20)
    inner.gate.set()
    outcomes = await asyncio.gather(*jobs, return_exceptions=True)
    assert [type(each).__name__ for each in outcomes] == [
        "CreateResult",
        "CreateResult",
        "BudgetExceededError",
    ]
    assert client.budget.spent == Spending(calls=2, tokens=10)


async def test_clients_share_a_budget():
    budget = Budget(calls=1)
    await Budgeted(ScriptedClient(["left"]), budget).create(QUESTION)
    with pytest.raises(BudgetExceededError):
        await Budgeted(ScriptedClient(["right"]), budget).create(QUESTION)


async def test_a_call_that_failed_is_a_call_without_tokens():
    client = Budgeted(ScriptedClient([TimeoutError()]), Budget())
    with pytest.raises(TimeoutError):
        await client.create(QUESTION)
    assert client.budget.spent == Spending(calls=1)


@pytest.mark.parametrize("leave", [True, False])
async def test_a_truncated_response_costs_the_estimate(leave):
    client = Budgeted(ScriptedClient([["le", "ft" if leave else TimeoutError()]]), Budget())
    stream = client.create_stream(QUESTION, **LIMITED)
    await anext(stream)
    if leave:
        await stream.aclose()
    else:
        with pytest.raises(TimeoutError):
            await anext(stream)
    assert client.budget.spent == Spending(calls=1, tokens=10)
    assert client.budget.reserved == Spending()


async def test_a_stream_takes_what_its_result_says():
    client = Budgeted(ScriptedClient([["le", "ft"]]), Budget())
    await text_and_result(client.create_stream(QUESTION))
    assert client.budget.spent == Spending(calls=1, tokens=5)


async def test_a_response_from_an_inner_cache_costs_nothing():
    client = Budgeted(Cached(ScriptedClient(["left"])), Budget(calls=2))
    for _ in range(2):
        await client.create(QUESTION)
    assert client.budget.spent == Spending(calls=1, tokens=5)


def spent_by(usage):
    return CreateResult(finish_reason="stop", content="left", usage=usage, cached=False)


async def test_money_is_estimated_by_the_prices_of_the_model_and_spent_as_the_client_says():
    lines = [spent_by(DetailedUsage(4, 6, cost=0.5)), spent_by(RequestUsage(1_000_000, 0))]
    client = Budgeted(ScriptedClient(lines), Budget(cost=1.0), model="gpt-4o-mini")
    for _ in range(2):
        await client.create(QUESTION, **LIMITED)
    assert client.budget.spent.cost == pytest.approx(0.5 + 0.15)
    with pytest.raises(BudgetExceededError, match="dollars"):
        await client.create(QUESTION, extra_create_args={"max_tokens": 1_000_000})


@pytest.mark.parametrize("model", [None, "unknown-model", "tests-free-model"])
def test_a_budget_of_money_needs_a_price(model, tmp_path):
    file = tmp_path / "models.toml"
    file.write_text('[models."tests-free-model"]\nprovider = "us"\nfamily = "unknown"\n')
    register_models(file)
    with pytest.raises(ClientSetupError, match="needs a model with a price"):
        Budgeted(ScriptedClient([]), Budget(cost=1.0), model=model)


@pytest.mark.parametrize("name", [None, "budget-of-two"])
def test_loaded_clients_share_the_budget_if_it_has_a_name(name):
    limits = {"calls": 3, "tokens": 700, "cost": 2.5}
    budget = Budget.named(name, **limits) if name else Budget(**limits)
    dumped = [
        Budgeted(ScriptedClient([line]), budget, model="gpt-4o", answer_tokens=9).dump_component()
        for line in ("left", "right")
    ]
    loaded = [ChatCompletionClient.load_component(each) for each in dumped]
    assert [each.dump_component() for each in loaded] == dumped
    assert (loaded[0].budget is loaded[1].budget) == (name is not None)
