"""Budgets of a guard: calls, wall time and cost."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from ferrogen.tools.guarding.decisions import ToolCall
from ferrogen.tools.guarding.errors import ToolBudgetError

Costs = Mapping[str, float] | Callable[[ToolCall], float]


@dataclass
class Spent:
    """The amounts that the calls of a guard have spent so far.

    Example:
        ```python
        from ferrogen.tools import Guard

        guard = Guard(max_calls=10)
        assert guard.spent.calls == 0
        ```
    """

    __module__ = "ferrogen.tools"

    calls: int = 0
    seconds: float = 0.0
    """The time during which at least one call ran."""
    cost: float = 0.0


class Budget:
    """The budgets of a guard, with the amounts spent.

    Args:
        guard: The name of the guard, for errors.
        max_calls: The most calls.
        max_seconds: The most seconds during which calls run.
        max_cost: The highest cost.
        costs: The costs of calls: by the names of tools, or a function of the call.

    Raises:
        ValueError: A budget is negative.
    """

    def __init__(
        self,
        guard: str,
        max_calls: int | None,
        max_seconds: float | None,
        max_cost: float | None,
        costs: Costs | None,
    ) -> None:
        for name, limit in (
            ("max_calls", max_calls),
            ("max_seconds", max_seconds),
            ("max_cost", max_cost),
        ):
            if limit is not None and not limit >= 0:
                raise ValueError(f"{name} is {limit}; give a number that is not negative, or None")
        self._guard = guard
        self._max_calls, self._max_seconds, self._max_cost = max_calls, max_seconds, max_cost
        self._costs = costs
        self._spent = Spent()
        self._running = 0
        self._since = 0.0
        self._lock = Lock()

    @property
    def spent(self) -> Spent:
        """The amounts spent so far."""
        with self._lock:
            return Spent(self._spent.calls, self._seconds(), self._spent.cost)

    def check(self, call: ToolCall) -> None:
        """Make sure that a call could begin now.

        Raises:
            ToolBudgetError: It would exceed a budget.
            ValueError: Its cost is negative.
        """
        cost = self._cost_of(call)
        with self._lock:
            self._check(call, cost)

    def begin(self, call: ToolCall) -> float | None:
        """Count a call that begins now.

        Returns:
            The seconds that it may take; None if there is no limit.

        Raises:
            ToolBudgetError: It would exceed a budget, and is not counted.
            ValueError: Its cost is negative.
        """
        cost = self._cost_of(call)
        with self._lock:
            self._check(call, cost)
            self._spent.calls += 1
            self._spent.cost += cost
            left = None
            if self._max_seconds is not None:
                left = self._max_seconds - self._seconds()
            if self._running == 0:
                self._since = time.monotonic()
            self._running += 1
            return left

    def end(self) -> None:
        """Note that a call has ended."""
        with self._lock:
            self._running -= 1
            if self._running == 0:
                self._spent.seconds += time.monotonic() - self._since

    def charge(self, tool: str, cost: float) -> None:
        """Add a cost that was not known before the call.

        Raises:
            ToolBudgetError: The budget is exceeded.
            ValueError: The cost is negative.
        """
        with self._lock:
            self._spent.cost += _checked(cost)
            if self._is_too_much(self._spent.cost):
                raise self._error(tool, "cost", f"a cost of {self._max_cost:g}")

    def out_of_time(self, tool: str) -> ToolBudgetError:
        """Return the error of a call that was ended because time ran out."""
        return self._error(tool, "seconds", f"{self._max_seconds:g} seconds", was_ended=True)

    def save(self) -> dict[str, Any]:
        """Return the amounts spent, as JSON values."""
        spent = self.spent
        return {"calls": spent.calls, "seconds": spent.seconds, "cost": spent.cost}

    def load(self, state: Mapping[str, Any]) -> None:
        """Replace the amounts spent."""
        with self._lock:
            self._spent = Spent(int(state["calls"]), float(state["seconds"]), float(state["cost"]))
            self._since = time.monotonic()

    def _seconds(self) -> float:
        running = time.monotonic() - self._since if self._running else 0.0
        return self._spent.seconds + running

    def _cost_of(self, call: ToolCall) -> float:
        if self._costs is None:
            return 0.0
        if callable(self._costs):
            return _checked(self._costs(call))
        return _checked(self._costs.get(call.tool, 0.0))

    def _check(self, call: ToolCall, cost: float) -> None:
        if self._max_calls is not None and self._spent.calls >= self._max_calls:
            raise self._error(call.tool, "calls", f"{self._max_calls} calls")
        if self._max_seconds is not None and self._seconds() >= self._max_seconds:
            raise self._error(call.tool, "seconds", f"{self._max_seconds:g} seconds")
        if self._is_too_much(self._spent.cost + cost):
            raise self._error(call.tool, "cost", f"a cost of {self._max_cost:g}")

    def _is_too_much(self, cost: float) -> bool:
        # Ten times 0.1 is a little more than 1 in binary.
        return self._max_cost is not None and cost > self._max_cost * (1 + 1e-9)

    def _error(
        self, tool: str, budget: str, limit: str, *, was_ended: bool = False
    ) -> ToolBudgetError:
        outcome = "was ended" if was_ended else "was refused"
        return ToolBudgetError(
            f"the call of {tool} {outcome}: the guard {self._guard!r} allows {limit} in all",
            budget=budget,
            guard=self._guard,
            tool=tool,
        )


def _checked(cost: float) -> float:
    if not cost >= 0:
        raise ValueError(f"the cost of a call is {cost}; it cannot be negative")
    return cost
