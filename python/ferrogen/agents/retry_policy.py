"""Retry policy: how often, when and after which errors a handler is called again."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Literal

from ferrogen.agents.option_checks import check_count, check_exceptions, check_number, is_final
from ferrogen.exceptions import AttemptTimeoutError

__all__ = ["RetryPolicy"]


@dataclass(frozen=True, kw_only=True)
class RetryPolicy:
    """How a handler that has failed is called again, with the same message.

    The delay before the next attempt grows exponentially: at most `initial_delay` after the first
    failure, `multiplier` times as long after each further one, and never more than `max_delay`.
    With full jitter it is a random time from 0 up to that limit, so that handlers that failed
    together do not come back together.

    Cancellation, `KeyboardInterrupt`, `SystemExit` and `CantHandleException` are never retried. An
    attempt that exceeds `attempt_timeout` is always retried, whatever `retry_on` says. A handler
    that is retried must tolerate being called twice with one message: an attempt may have failed
    after a part of its work was done.

    Example:
        ```python
        import asyncio
        from dataclasses import dataclass

        from ferrogen import (
            AgentId,
            MessageContext,
            RetryPolicy,
            RoutedAgent,
            SingleThreadedAgentRuntime,
            agent_options,
            rpc,
        )


        @dataclass
        class Order:
            item: str


        @agent_options(retry=RetryPolicy(attempts=3, initial_delay=0.001))
        class Warehouse(RoutedAgent):
            calls = 0

            @rpc
            async def on_order(self, order: Order, ctx: MessageContext) -> str:
                self.calls += 1
                if self.calls < 3:
                    raise ConnectionError("the line is busy")
                return f"{order.item} is shipped"


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Warehouse.register(runtime, "warehouse", lambda: Warehouse("ships orders"))
            runtime.start()
            north = AgentId("warehouse", "north")
            response = await runtime.send_message(Order("tea"), north)
            assert response == "tea is shipped"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```

    Raises:
        ValueError: An option has an invalid value.
    """

    attempts: int = 3
    """How often the handler is called at most, the first call included."""

    initial_delay: float = 0.1
    """The limit of the delay after the first failure, in seconds."""

    multiplier: float = 2.0
    """The growth of that limit from one failure to the next."""

    max_delay: float = 30.0
    """The highest limit, in seconds."""

    jitter: Literal["full", "none"] = "full"
    """Whether a delay is a random time up to its limit, or the limit itself."""

    retry_on: tuple[type[Exception], ...] = (Exception,)
    """The errors, with their subclasses, after which the handler is called again."""

    attempt_timeout: float | None = None
    """After how many seconds an attempt is cancelled, and counts as failed; None means never."""

    def __post_init__(self) -> None:
        check_count("attempts", self.attempts)
        seconds = "a number of seconds of at least 0"
        check_number("initial_delay", self.initial_delay, least=0, allowed=seconds)
        check_number("multiplier", self.multiplier, least=1, allowed="a number of at least 1")
        least = self.initial_delay
        text = f"a number of seconds of at least initial_delay ({least!r})"
        check_number("max_delay", self.max_delay, least=least, allowed=text)
        if self.jitter not in ("full", "none"):
            raise ValueError(f'jitter must be "full" or "none"; got {self.jitter!r}')
        object.__setattr__(self, "retry_on", check_exceptions("retry_on", self.retry_on))
        if self.attempt_timeout is not None:
            text = "a number of seconds greater than 0, or None for no limit"
            check_number("attempt_timeout", self.attempt_timeout, least=0, allowed=text)

    def retries(self, error: BaseException) -> bool:
        """Whether the handler may be called again after this error."""
        if is_final(error):
            return False
        return isinstance(error, (AttemptTimeoutError, *self.retry_on))

    def delay_after(self, failures: int, random: Random) -> float:
        """Return the seconds to wait before the next attempt.

        Args:
            failures: How many attempts have failed, at least 1.
            random: The source of the jitter.
        """
        try:
            limit = min(self.max_delay, self.initial_delay * self.multiplier ** (failures - 1))
        except OverflowError:
            limit = self.max_delay
        return random.uniform(0.0, limit) if self.jitter == "full" else limit
