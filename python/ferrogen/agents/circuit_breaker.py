"""Circuit breaker options: when messages to an agent type that keeps failing are rejected."""

from __future__ import annotations

from dataclasses import dataclass

from ferrogen.agents.option_checks import check_count, check_exceptions, check_number

__all__ = ["CircuitBreaker"]


@dataclass(frozen=True, kw_only=True)
class CircuitBreaker:
    """When messages to the agents of a type are rejected at once, because their handlers fail.

    The circuit breaker of a type is *closed* at first: handlers are called. After `failures` failed
    calls within `window` seconds, by all agents of the type together, it is *open*: no handler is
    called, the sender gets a `CircuitOpenError`, and the message is a dead letter. After
    `reset_after` seconds it is *half-open*: `half_open_calls` messages are let through. If their
    handlers all succeed, it is closed again; if one fails, it is open again.

    Example:
        ```python
        import asyncio
        from dataclasses import dataclass

        from ferrogen import (
            AgentId,
            CircuitBreaker,
            MessageContext,
            RoutedAgent,
            SingleThreadedAgentRuntime,
            agent_options,
            rpc,
        )
        from ferrogen.exceptions import CircuitOpenError


        @dataclass
        class Payment:
            amount: int


        @agent_options(circuit_breaker=CircuitBreaker(failures=2))
        class Bank(RoutedAgent):
            @rpc
            async def on_payment(self, payment: Payment, ctx: MessageContext) -> None:
                raise ConnectionError("the bank does not respond")


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Bank.register(runtime, "bank", lambda: Bank("takes payments"))
            runtime.start()
            errors = []
            for amount in (1, 2, 3):
                try:
                    await runtime.send_message(Payment(amount), AgentId("bank", "main"))
                except (ConnectionError, CircuitOpenError) as error:
                    errors.append(type(error))
            assert errors == [ConnectionError, ConnectionError, CircuitOpenError]
            assert runtime.circuit_breaker_state("bank").state == "open"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```

    Raises:
        ValueError: An option has an invalid value.
    """

    failures: int = 5
    """How many failed calls within `window` open it."""

    window: float = 60.0
    """For how many seconds a failed call counts."""

    reset_after: float = 30.0
    """After how many seconds an open circuit breaker lets messages through again."""

    half_open_calls: int = 1
    """How many calls have to succeed before it is closed again."""

    failure_on: tuple[type[Exception], ...] = (Exception,)
    """The errors, with their subclasses, that count as failures. Cancellation and
    `CantHandleException` never do."""

    def __post_init__(self) -> None:
        check_count("failures", self.failures)
        check_count("half_open_calls", self.half_open_calls)
        seconds = "a number of seconds greater than 0"
        check_number("window", self.window, least=0, allowed=seconds)
        check_number("reset_after", self.reset_after, least=0, allowed=seconds)
        object.__setattr__(self, "failure_on", check_exceptions("failure_on", self.failure_on))
