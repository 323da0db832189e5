"""The agents and messages that the benches measure with, for either package."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

from pydantic import BaseModel

PLAIN_TASKS = "FERROGEN_PLAIN_TASKS"


@dataclass
class Ask:
    number: int


@dataclass
class Hop:
    left: int


@dataclass
class Pause:
    number: int


@dataclass
class Wait:
    number: int


@dataclass
class Letter:
    text: str


@dataclass
class News:
    number: int


class Form(BaseModel):
    number: int
    name: str


class Tally:
    """Counts what was handled, so that one can wait for the last of it."""

    def expect(self, count: int) -> asyncio.Future[None]:
        self.left = count
        self.last = asyncio.get_running_loop().create_future()
        return self.last

    def count(self) -> None:
        self.left -= 1
        if not self.left:
            self.last.set_result(None)


async def real_wait() -> None:
    """Waits for a future that the event loop completes in its next turn."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, None)
    await future


def cast(core: ModuleType, tally: Tally) -> SimpleNamespace:
    """Makes the agent classes of one package."""
    message_handler, MessageContext = core.message_handler, core.MessageContext  # noqa: N806

    class Answerer(core.RoutedAgent):
        def __init__(self) -> None:
            super().__init__("answers")

        @message_handler
        async def on_ask(self, message: Ask, ctx: MessageContext) -> int:
            return message.number

        @message_handler
        async def on_form(self, message: Form, ctx: MessageContext) -> int:
            return message.number

        @message_handler
        async def on_letter(self, message: Letter, ctx: MessageContext) -> int:
            return len(message.text)

        @message_handler
        async def on_pause(self, message: Pause, ctx: MessageContext) -> int:
            await asyncio.sleep(0)
            return message.number

        @message_handler
        async def on_wait(self, message: Wait, ctx: MessageContext) -> int:
            await real_wait()
            return message.number

        @message_handler
        async def on_hop(self, message: Hop, ctx: MessageContext) -> int:
            if not message.left:
                return 0
            following = core.AgentId("answerer", "odd" if message.left % 2 else "even")
            return await self.send_message(Hop(message.left - 1), following)

    class Overrider(Answerer):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            return await super().on_message_impl(message, ctx)

    class Reader(core.RoutedAgent):
        def __init__(self) -> None:
            super().__init__("reads")

        @message_handler
        async def on_news(self, message: News, ctx: MessageContext) -> None:
            tally.count()

    return SimpleNamespace(Answerer=Answerer, Overrider=Overrider, Reader=Reader)


@asynccontextmanager
async def stage(
    core: ModuleType, *, plain: bool = False, **runtime_options: Any
) -> AsyncIterator[SimpleNamespace]:
    """Starts a runtime with the cast registered; stops it at the end.

    Args:
        core: The package.
        plain: Whether Ferrogen is to make every delivery a plain task.
        **runtime_options: Go to the runtime.
    """
    tally = Tally()
    classes = cast(core, tally)
    if plain:
        os.environ[PLAIN_TASKS] = "1"
    try:
        runtime = core.SingleThreadedAgentRuntime(**runtime_options)
    finally:
        os.environ.pop(PLAIN_TASKS, None)
    await classes.Answerer.register(runtime, "answerer", classes.Answerer)
    await classes.Overrider.register(runtime, "overrider", classes.Overrider)
    await classes.Reader.register(runtime, "reader", classes.Reader)
    runtime.start()
    try:
        yield SimpleNamespace(core=core, runtime=runtime, tally=tally, **vars(classes))
    finally:
        await runtime.stop()
