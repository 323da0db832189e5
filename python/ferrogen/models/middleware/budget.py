"""Budget of calls, tokens and money, with reservations for calls in flight."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from pydantic import TypeAdapter

from ferrogen.exceptions import BudgetExceededError, StateError
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.middleware.request import Request
from ferrogen.models.middleware.settings import Names, at_least
from ferrogen.models.results import RequestUsage

# How services call the most tokens that a response may have.
_LIMITS: Iterable[str] = ("max_completion_tokens", "max_output_tokens", "max_tokens")


def estimated_usage(
    client: ChatCompletionClient, request: Request, answer_tokens: int
) -> RequestUsage:
    """Guess what a request will take.

    Args:
        client: Counts the tokens of the prompt.
        request: What is to be asked. Its response is taken to be as long as its extra arguments
            allow, ``max_tokens`` and the like.
        answer_tokens: The tokens of the response, if the request does not limit them.
    """
    prompt = client.count_tokens(request.messages, tools=request.tools)
    limits = (request.extra_create_args.get(name) for name in _LIMITS)
    longest = next((limit for limit in limits if isinstance(limit, int)), answer_tokens)
    return RequestUsage(prompt, longest)


@dataclass(frozen=True)
class Spending:
    """Calls, tokens of prompts and responses, and US dollars; they can be added.

    Example:
        ```python
        from ferrogen.models.middleware import Spending

        both = Spending(calls=1, tokens=700, cost=0.25) + Spending(calls=1, tokens=50, cost=0.5)
        assert both == Spending(calls=2, tokens=750, cost=0.75)
        ```
    """

    __module__ = "ferrogen.models.middleware"

    calls: int = 0
    """Requests to the service."""

    tokens: int = 0
    """Tokens of prompts and responses."""

    cost: float = 0.0
    """US dollars."""

    def __add__(self, other: Spending) -> Spending:
        return Spending(
            self.calls + other.calls, self.tokens + other.tokens, self.cost + other.cost
        )


class Reservation:
    """The amount that a call in flight may spend; it ends once."""

    def __init__(self, budget: Budget, most: Spending) -> None:
        self.most = most
        self._budget = budget

    def end(self, spent: Spending) -> None:
        """Spend this instead; a reservation that has ended changes nothing any more."""
        self._budget._settle(self, spent)


class Budget:
    """A limit of spending on models, for all clients that share it, in all threads.

    Calls that are under way count with what they may spend.

    Args:
        calls: How many requests; ``None`` for any number.
        tokens: How many tokens, prompts and responses together; ``None`` for any number.
        cost: US dollars; ``None`` for any sum.

    Raises:
        ClientSetupError: A limit is below 0.

    Example:
        ```python
        from ferrogen.models.middleware import Budget, Spending

        budget = Budget(tokens=1000)
        budget.reserve(Spending(calls=1, tokens=700)).end(Spending(calls=1, tokens=650))
        assert budget.spent.tokens == 650
        again = Budget(tokens=1000)
        again.load_state(budget.save_state())
        assert again.spent == budget.spent
        ```
    """

    __module__ = "ferrogen.models.middleware"

    def __init__(
        self, *, calls: int | None = None, tokens: int | None = None, cost: float | None = None
    ) -> None:
        at_least(0, calls=calls, tokens=tokens, cost=cost)
        self.calls = calls
        self.tokens = tokens
        self.cost = cost
        self.name: str | None = None
        self._spent = Spending()
        self._reservations: set[Reservation] = set()
        self._lock = Lock()

    @classmethod
    def named(
        cls,
        name: str,
        *,
        calls: int | None = None,
        tokens: int | None = None,
        cost: float | None = None,
    ) -> Budget:
        """Give the budget of this name, which all clients of a process share; made when asked for.

        It exists as long as it is referenced.

        Raises:
            ClientSetupError: There is one of this name with other limits.
        """
        return _names.find(name, lambda: cls(calls=calls, tokens=tokens, cost=cost))

    def limits(self) -> dict[str, float | None]:
        """Return the limits by their names."""
        return {"calls": self.calls, "tokens": self.tokens, "cost": self.cost}

    @property
    def spent(self) -> Spending:
        """The amount spent, without the calls in flight."""
        return self._spent

    @property
    def reserved(self) -> Spending:
        """The amount that the calls in flight may spend."""
        return sum((each.most for each in self._reservations), Spending())

    def reserve(self, most: Spending) -> Reservation:
        """Set aside what a call may spend.

        Raises:
            BudgetExceededError: There is not so much left.
        """
        with self._lock:
            self._check(most)
            reservation = Reservation(self, most)
            self._reservations.add(reservation)
            return reservation

    def _check(self, most: Spending) -> None:
        taken = self._spent + self.reserved
        for name, limit in self.limits().items():
            if limit is None:
                continue
            needed, left = getattr(most, name), limit - getattr(taken, name)
            if needed > left:
                raise BudgetExceededError(
                    f"the call may take {needed:g} {_UNITS[name]}, but of the budget of {limit:g} "
                    f"there are {max(left, 0):g} left; raise the budget, or ask for less"
                )

    def _settle(self, reservation: Reservation, spent: Spending) -> None:
        with self._lock:
            if reservation in self._reservations:
                self._reservations.remove(reservation)
                self._spent += spent

    def save_state(self) -> Mapping[str, Any]:
        """Return the amount spent, as JSON values, without the calls in flight."""
        spent = self._spent
        return {"calls": spent.calls, "tokens": spent.tokens, "cost": spent.cost}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Replace the amount spent by that of `save_state`.

        Raises:
            StateError: It did not write this.
        """
        try:
            if set(state) != {"calls", "tokens", "cost"}:
                raise ValueError("it has to have calls, tokens and cost, and nothing else")
            self._spent = _SPENDING.validate_python(dict(state))
        except (ValueError, TypeError) as error:  # of which pydantic's is one
            raise StateError(f"this is not the saved state of a budget: {error}") from error


_UNITS = {"calls": "calls", "tokens": "tokens", "cost": "dollars"}
_SPENDING = TypeAdapter(Spending)
_names: Names[Budget] = Names("budget")
