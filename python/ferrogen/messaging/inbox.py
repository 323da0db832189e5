"""The inbox of a running handler: messages that steer it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import Any

__all__ = ["Inbox"]


class Inbox:
    """The messages that `runtime.steer` has sent to a running handler, as `ctx.inbox`.

    A handler finds them there after an `await`, for example of an agent or a tool. Iterating takes
    the messages that are there.

    Example:
        ```python
        import asyncio
        from dataclasses import dataclass

        from ferrogen import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, rpc


        @dataclass
        class Essay:
            topic: str


        class Writer(RoutedAgent):
            @rpc
            async def on_essay(self, message: Essay, ctx: MessageContext) -> str:
                style = await ctx.inbox.get()
                return f"a {style} essay about {message.topic}"


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Writer.register(runtime, "writer", lambda: Writer("writes"))
            runtime.start()
            writer = AgentId("writer", "1")
            essay = asyncio.ensure_future(runtime.send_message(Essay("rust"), writer))
            await asyncio.sleep(0)
            assert runtime.steer("short", writer) == 1
            assert await essay == "a short essay about rust"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```
    """

    def __init__(self) -> None:
        self._messages: deque[Any] = deque()
        self._waiters: deque[asyncio.Future[None]] = deque()

    def __len__(self) -> int:
        return len(self._messages)

    def __iter__(self) -> Iterator[Any]:
        while self._messages:
            yield self._messages.popleft()

    async def get(self) -> Any:
        """Wait for a message, and take it."""
        while not self._messages:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except BaseException:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
                elif self._messages:
                    self._wake()  # it was woken for a message that it does not take
                raise
        return self._messages.popleft()

    def put(self, message: Any) -> None:
        """Add a message; `runtime.steer` does it."""
        self._messages.append(message)
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
