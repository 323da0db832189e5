"""The state machine of a circuit breaker. It has no clock: each call is given the time."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

from ferrogen.agents.circuit_breaker import CircuitBreaker

__all__ = ["Circuit", "CircuitBreakerState"]


@dataclass(frozen=True, kw_only=True)
class CircuitBreakerState:
    """The state of the circuit breaker of an agent type, as of one moment.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentOptions, CircuitBreaker, SingleThreadedAgentRuntime


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            runtime.set_agent_options("bank", AgentOptions(circuit_breaker=CircuitBreaker()))
            assert runtime.circuit_breaker_state("bank").state == "closed"


        asyncio.run(main())
        ```
    """

    state: Literal["closed", "open", "half-open"]
    """Whether messages are let through, rejected, or let through to try."""

    failures: int
    """How many failed calls count at the moment; those that opened it, if it is not closed."""

    retry_after: float
    """The seconds until messages are let through again; 0 unless it is open."""


class Circuit:
    """A circuit breaker.

    A call is entered, which returns a permit, and reported by its permit when it ends. A report
    from before the last change of state is ignored: it says nothing about the present.

    Args:
        options: When it opens and closes.
    """

    def __init__(self, options: CircuitBreaker) -> None:
        self._options = options
        self._failures: deque[float] = deque(maxlen=options.failures)
        self._opened_at: float | None = None
        self._is_half_open = False
        self._period = 0
        # Of the half-open period: calls that were let through, and those that have succeeded.
        self._entered = 0
        self._succeeded = 0

    def state(self, now: float) -> CircuitBreakerState:
        """Return the state at a time."""
        self._advance(now)
        name: Literal["closed", "open", "half-open"] = "closed"
        retry_after = 0.0
        if self._is_half_open:
            name = "half-open"
        elif self._opened_at is not None:
            name = "open"
            retry_after = self._opened_at + self._options.reset_after - now
        return CircuitBreakerState(
            state=name, failures=len(self._failures), retry_after=retry_after
        )

    def enter(self, now: float) -> int | None:
        """Let a call through; return its permit, or None if the call is rejected."""
        self._advance(now)
        if self._is_half_open:
            if self._entered == self._options.half_open_calls:
                return None
            self._entered += 1
        elif self._opened_at is not None:
            return None
        return self._period

    def succeed(self, permit: int, now: float) -> None:
        """Report that a call has succeeded."""
        self._advance(now)
        if permit == self._period and self._is_half_open:
            self._succeeded += 1
            if self._succeeded == self._options.half_open_calls:
                self._change(opened_at=None, is_half_open=False)
                self._failures.clear()

    def fail(self, permit: int, now: float) -> None:
        """Report that a call has failed."""
        self._advance(now)
        if permit != self._period:
            return
        if not self._is_half_open:
            self._failures.append(now)
        if self._is_half_open or len(self._failures) == self._options.failures:
            self._change(opened_at=now, is_half_open=False)

    def abandon(self, permit: int) -> None:
        """Report that a call has ended in a way that neither counts for nor against the agents."""
        if permit == self._period and self._is_half_open:
            self._entered -= 1

    def _advance(self, now: float) -> None:
        if self._opened_at is None:
            while self._failures and now - self._failures[0] >= self._options.window:
                self._failures.popleft()
        elif not self._is_half_open and now >= self._opened_at + self._options.reset_after:
            self._change(opened_at=self._opened_at, is_half_open=True)

    def _change(self, *, opened_at: float | None, is_half_open: bool) -> None:
        self._opened_at = opened_at
        self._is_half_open = is_half_open
        self._period += 1
        self._entered = self._succeeded = 0
