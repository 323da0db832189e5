"""A runtime with agents made of single functions, and small things that many tests need."""

import asyncio
import functools
import importlib
import inspect
import sys
from collections.abc import Awaitable, Callable, Iterable
from types import ModuleType
from typing import Any

import pytest

Handler = Callable[[Any, Any, Any], Awaitable[Any]]

since_3_11 = pytest.mark.skipif(
    sys.version_info < (3, 11),
    reason="asyncio.timeout, TaskGroup and Task.cancelling came with Python 3.11",
)


class Ask:
    """A message with anything in it; no serializer knows it, so nothing looks inside."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


async def _written_as(self, message, ctx):
    """What a handler that is a plain function claims to wrap, as a decorator would."""


class World:
    """A runtime of one package, in one mode."""

    def __init__(self, core: ModuleType, mode: str, **options: Any) -> None:
        self.core = core
        self.exceptions = importlib.import_module(f"{core.__name__}.exceptions")
        self.mode = mode
        self.is_upstream = mode == "upstream"
        self.is_started = False
        # A test says so when it ends while handlers are meant to be running.
        self.is_left_busy = False
        self.strays: list[dict[str, Any]] = []
        self.runtime = core.SingleThreadedAgentRuntime(**options)

    def rebuild(self, **options: Any) -> None:
        """Take another runtime, made with these options."""
        self.runtime = self.core.SingleThreadedAgentRuntime(**options)

    def watch_loop(self) -> None:
        """Collect what the running loop reports to nobody, such as errors never retrieved."""
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: self.strays.append(context)
        )

    def start(self) -> None:
        self.runtime.start()
        self.is_started = True

    async def stop(self) -> None:
        self.is_started = False
        await self.runtime.stop()

    async def idle(self) -> None:
        """Stop when idle, which must come soon."""
        self.is_started = False
        await asyncio.wait_for(self.runtime.stop_when_idle(), 5)

    def agent_class(self, handler: Handler, *, routed: bool = True) -> Any:
        """Make an agent class with this one handler, of arguments self, message and context."""
        core = self.core
        if routed:
            if not inspect.iscoroutinefunction(handler):
                handler = functools.wraps(_written_as)(handler)
            types = {"message": Ask, "ctx": core.MessageContext, "return": Any}
            handler.__annotations__ = types
            inspect.unwrap(handler).__annotations__ = types
            return type("Routed", (core.RoutedAgent,), {"handle": core.message_handler(handler)})

        async def on_message_impl(self, message, ctx):
            return await handler(self, message, ctx)

        return type("Generic", (core.BaseAgent,), {"on_message_impl": on_message_impl})

    async def agent(
        self,
        name: str,
        handler: Handler,
        *,
        topic: str | None = None,
        routed: bool = True,
        keys: Iterable[object] = ("default",),
    ) -> None:
        """Register an agent type under this name, subscribed to a topic type if one is given.

        Agents with these keys are built at once: the first message to an agent takes another path
        than those that follow.
        """
        agent_class = self.agent_class(handler, routed=routed)
        # Not agent_class.register: it wants a serializer for the message.
        await self.runtime.register_factory(name, lambda: agent_class("runs one function"))
        if topic is not None:
            await self.runtime.add_subscription(self.core.TypeSubscription(topic, name))
        for key in keys:
            await self.runtime.try_get_underlying_agent_instance(self.id(name, str(key)))

    def id(self, name: str, key: str = "default") -> Any:
        return self.core.AgentId(name, key)

    def ask(self, name: str, value: Any = None, *, key: str = "default", **options: Any) -> Any:
        """Hand out what `send_message` returns, not awaited."""
        return self.runtime.send_message(Ask(value), self.id(name, key), **options)

    def publish(self, topic: str, value: Any = None, **options: Any) -> Any:
        """Hand out what `publish_message` returns, not awaited."""
        topic_id = self.core.TopicId(topic, "default")
        return self.runtime.publish_message(Ask(value), topic_id, **options)


async def turns(count: int = 20) -> None:
    """Let the event loop go around, so that everything that can happen has happened."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], Any], most: int = 10_000) -> None:
    """Let the event loop go around until something holds."""
    for _ in range(most):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("the condition never came to hold")


def words(error: BaseException) -> Any:
    """Return the message of a cancellation."""
    # On 3.10 who waits for a cancelled task gets an error without words, from one that has them.
    while not error.args and error.__context__ is not None:
        error = error.__context__
    return error.args[0] if error.args else None


class Switch:
    """An awaitable that yields once to the event loop, with a value of choice."""

    def __init__(self, value: Any = None) -> None:
        self.value = value

    def __await__(self) -> Any:
        return (yield self.value)
