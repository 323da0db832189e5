"""The agents and messages that the benches measure with, for either package."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any

from pydantic import BaseModel

TASK_MODE = "FERROGEN_PLAIN_TASKS"


@dataclass
class Request:
    number: int


@dataclass
class NestedRequest:
    left: int


@dataclass
class SleepRequest:
    number: int


@dataclass
class FutureRequest:
    number: int


@dataclass
class LargeRequest:
    text: str


@dataclass
class Notification:
    number: int


class PydanticRequest(BaseModel):
    number: int
    name: str


class Tally:
    """Counts handled messages, so that a bench can await the last one."""

    def expect(self, count: int) -> asyncio.Future[None]:
        self.left = count
        self.last = asyncio.get_running_loop().create_future()
        return self.last

    def count(self) -> None:
        self.left -= 1
        if not self.left:
            self.last.set_result(None)


async def completed_soon() -> None:
    """Awaits a future that the event loop completes in its next iteration."""
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    loop.call_soon(future.set_result, None)
    await future


def agent_classes(core: ModuleType, tally: Tally) -> SimpleNamespace:
    """Makes the agent classes of one package."""
    message_handler, MessageContext = core.message_handler, core.MessageContext  # noqa: N806

    class Responder(core.RoutedAgent):
        def __init__(self) -> None:
            super().__init__("responds")

        @message_handler
        async def on_request(self, message: Request, ctx: MessageContext) -> int:
            return message.number

        @message_handler
        async def on_pydantic(self, message: PydanticRequest, ctx: MessageContext) -> int:
            return message.number

        @message_handler
        async def on_large(self, message: LargeRequest, ctx: MessageContext) -> int:
            return len(message.text)

        @message_handler
        async def on_sleep(self, message: SleepRequest, ctx: MessageContext) -> int:
            await asyncio.sleep(0)
            return message.number

        @message_handler
        async def on_future(self, message: FutureRequest, ctx: MessageContext) -> int:
            await completed_soon()
            return message.number

        @message_handler
        async def on_nested(self, message: NestedRequest, ctx: MessageContext) -> int:
            if not message.left:
                return 0
            following = core.AgentId("responder", "odd" if message.left % 2 else "even")
            return await self.send_message(NestedRequest(message.left - 1), following)

    class Overrider(Responder):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            return await super().on_message_impl(message, ctx)

    class Subscriber(core.RoutedAgent):
        def __init__(self) -> None:
            super().__init__("subscribes")

        @message_handler
        async def on_notification(self, message: Notification, ctx: MessageContext) -> None:
            tally.count()

    return SimpleNamespace(
        Responder=Responder,
        Overrider=Overrider,
        Serial=limited(core, Responder, 1),
        Subscriber=Subscriber,
    )


def limited(core: ModuleType, agent: type[Any], concurrency: int) -> type[Any]:
    """The agent class with a limit of messages handled at the same time.

    Upstream has no such option; there the handlers take a semaphore, as users write it.
    """
    if hasattr(core, "agent_options"):
        return core.agent_options(concurrency=concurrency)(type(agent.__name__, (agent,), {}))

    class Limited(agent):
        def __init__(self) -> None:
            super().__init__()
            self._semaphore = asyncio.Semaphore(concurrency)

        async def on_message_impl(self, message: Any, ctx: Any) -> Any:
            async with self._semaphore:
                return await super().on_message_impl(message, ctx)

    return Limited


@asynccontextmanager
async def started_runtime(
    core: ModuleType, *, task_mode: bool = False, **runtime_options: Any
) -> AsyncIterator[SimpleNamespace]:
    """Starts a runtime with the agent classes registered; stops it at the end.

    Args:
        core: The package.
        task_mode: Whether Ferrogen runs every handler in a task of its own.
        **runtime_options: Go to the runtime.
    """
    tally = Tally()
    classes = agent_classes(core, tally)
    if task_mode:
        os.environ[TASK_MODE] = "1"
    try:
        runtime = core.SingleThreadedAgentRuntime(**runtime_options)
    finally:
        os.environ.pop(TASK_MODE, None)
    for name, cls in vars(classes).items():
        await cls.register(runtime, name.lower(), cls)
    runtime.start()
    try:
        yield SimpleNamespace(core=core, runtime=runtime, tally=tally, **vars(classes))
    finally:
        await runtime.stop()
