"""A runtime with agents made of single functions, and helpers of the semantics tests."""

import asyncio
import functools
import importlib
import inspect
import sys
import time
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
    """A message with any value; it has no serializer."""

    def __init__(self, value: Any = None) -> None:
        self.value = value


async def _written_as(self, message, ctx):
    """The coroutine function that a handler which is a plain function claims to wrap."""


class Scenario:
    """A runtime of one package, in one mode."""

    def __init__(self, core: ModuleType, mode: str, **options: Any) -> None:
        self.core = core
        self.exceptions = importlib.import_module(f"{core.__name__}.exceptions")
        self.mode = mode
        self.is_upstream = mode == "upstream"
        self.is_started = False
        # Set by a test that ends while handlers are still running.
        self.is_left_busy = False
        self.loop_errors: list[dict[str, Any]] = []
        self.runtime = core.SingleThreadedAgentRuntime(**options)

    def rebuild(self, **options: Any) -> None:
        """Replace the runtime by one with these options."""
        self.runtime = self.core.SingleThreadedAgentRuntime(**options)

    def collect_loop_errors(self) -> None:
        """Collect what the exception handler of the loop gets, such as errors never retrieved."""
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: self.loop_errors.append(context)
        )

    def start(self) -> None:
        self.runtime.start()
        self.is_started = True

    async def stop(self) -> None:
        self.is_started = False
        await self.runtime.stop()

    async def idle(self) -> None:
        """Stop when idle, within a few seconds."""
        self.is_started = False
        await asyncio.wait_for(self.runtime.stop_when_idle(), 150)

    def agent_class(self, handler: Handler, *, routed: bool = True) -> Any:
        """Create an agent class with one handler, with arguments self, message and context."""
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

        Agents with these keys are built at once: the first message to an agent takes a different
        path.
        """
        agent_class = self.agent_class(handler, routed=routed)
        # Not agent_class.register: it requires a serializer for the message.
        await self.runtime.register_factory(name, lambda: agent_class("runs one function"))
        if topic is not None:
            await self.runtime.add_subscription(self.core.TypeSubscription(topic, name))
        for key in keys:
            await self.runtime.try_get_underlying_agent_instance(self.id(name, str(key)))

    def id(self, name: str, key: str = "default") -> Any:
        return self.core.AgentId(name, key)

    def ask(self, name: str, value: Any = None, *, key: str = "default", **options: Any) -> Any:
        """Return the awaitable of `send_message`."""
        return self.runtime.send_message(Ask(value), self.id(name, key), **options)

    def publish(self, topic: str, value: Any = None, **options: Any) -> Any:
        """Return the awaitable of `publish_message`."""
        topic_id = self.core.TopicId(topic, "default")
        return self.runtime.publish_message(Ask(value), topic_id, **options)


async def echo(self, message, ctx):
    """A handler that returns the value of its message."""
    return message.value


async def yield_to_loop(count: int = 20) -> None:
    """Run some iterations of the event loop, so that all pending work is done."""
    for _ in range(count):
        await asyncio.sleep(0)


async def until(condition: Callable[[], Any]) -> None:
    """Run the event loop until a condition holds, or fail after minutes.

    Iterations are not counted: the condition may depend on a timer or a thread.
    """
    end = time.monotonic() + 150
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        await asyncio.sleep(0)


def words(error: BaseException) -> Any:
    """Return the message of a cancellation."""
    # On 3.10 the waiter for a cancelled task gets an error without a message; its context has it.
    while not error.args and error.__context__ is not None:
        error = error.__context__
    return error.args[0] if error.args else None


class Switch:
    """An awaitable that yields a given value once to the event loop."""

    def __init__(self, value: Any = None) -> None:
        self.value = value

    def __await__(self) -> Any:
        return (yield self.value)
