"""The decorator of handlers that stream their response."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import TypeVar, overload

from ferrogen.agents.handler_building import decorate
from ferrogen.agents.handlers import MessageHandler
from ferrogen.messaging.message_context import MessageContext

__all__ = ["stream"]

AgentT = TypeVar("AgentT")
ReceivesT = TypeVar("ReceivesT")
PartT = TypeVar("PartT")

_Method = Callable[[AgentT, ReceivesT, MessageContext], AsyncIterator[PartT]]
_Decorator = Callable[[_Method[AgentT, ReceivesT, PartT]], MessageHandler[AgentT, ReceivesT, None]]
_Match = Callable[[ReceivesT, MessageContext], bool]


@overload
def stream(
    func: _Method[AgentT, ReceivesT, PartT],
) -> MessageHandler[AgentT, ReceivesT, None]: ...


@overload
def stream(
    func: None = None,
    *,
    match: _Match[ReceivesT] | None = ...,
    strict: bool = ...,
) -> _Decorator[AgentT, ReceivesT, PartT]: ...


def stream(
    func: _Method[AgentT, ReceivesT, PartT] | None = None,
    *,
    strict: bool = True,
    match: _Match[ReceivesT] | None = None,
) -> _Decorator[AgentT, ReceivesT, PartT] | MessageHandler[AgentT, ReceivesT, None]:
    """Make an async generator of a `RoutedAgent` handle messages whose sender reads a stream.

    The sender reads with `runtime.stream`, or inside an agent with `self.stream`. The generator is
    advanced when the reader asks for the next part. It is closed when the reader leaves; if it is
    computing a part then, it gets a `CancelledError`.

    Example:
        ```python
        import asyncio
        from collections.abc import AsyncIterator
        from dataclasses import dataclass

        from ferrogen import (
            AgentId,
            MessageContext,
            RoutedAgent,
            SingleThreadedAgentRuntime,
            stream,
        )


        @dataclass
        class CountTo:
            number: int


        class Counter(RoutedAgent):
            @stream
            async def count(self, message: CountTo, ctx: MessageContext) -> AsyncIterator[int]:
                for number in range(message.number):
                    yield number + 1


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Counter.register(runtime, "counter", lambda: Counter("counts"))
            async with runtime:
                parts = runtime.stream(CountTo(3), AgentId("counter", "one"))
                assert [part async for part in parts] == [1, 2, 3]


        asyncio.run(main())
        ```

    Args:
        func: The method, when used without parentheses.
        strict: Whether a message of an undeclared type is an error; otherwise a warning is logged.
        match: Whether this handler accepts a message; see `message_handler`.

    Returns:
        The handler, or the decorator.

    Raises:
        TypeError: The method is not an async generator, or has an invalid signature.
    """
    return decorate("stream handler", func, strict, match)  # type: ignore[no-any-return]
