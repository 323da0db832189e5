"""A scenario of common features, for many kinds of event loops and agents."""

import asyncio
import contextvars
import sys

import pytest

from .world import Ask, World, turns, until

variable = contextvars.ContextVar("variable", default="nothing")


async def everyday(world: World, *, routed: bool = True) -> None:  # noqa: PLR0915 - it is a list
    """Register agents that use the common features, and check the results."""
    core = world.core
    gate, received = asyncio.Event(), []

    async def works(self, message, ctx):
        task = asyncio.current_task()
        assert isinstance(task, asyncio.Task)
        assert variable.get() == "nothing"
        variable.set(message.value)
        response = await what_to_do[message.value](self, message)
        assert asyncio.current_task() is task
        assert variable.get() == message.value
        assert core.MessageHandlerContext.agent_id() == self.id
        return response

    async def through(self, message):
        return "through"

    async def turn(self, message):
        await asyncio.sleep(0)
        return "turn"

    async def sleep(self, message):
        await asyncio.sleep(0.001)
        return "sleep"

    async def fail(self, message):
        await asyncio.sleep(0)
        raise ValueError("fail")

    async def thread(self, message):
        return await asyncio.to_thread(variable.get)

    async def nest(self, message):
        names = ("through", "turn", "sleep")
        return [await self.send_message(Ask(n), world.id("a", n)) for n in names]

    async def gather(self, message):
        names = ("turn", "through") * 10
        return await asyncio.gather(
            *(self.send_message(Ask(name), world.id("a", str(i))) for i, name in enumerate(names))
        )

    async def timeout(self, message):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(self.send_message(Ask("wait"), world.id("a", "slow")), 0.001)
        if sys.version_info >= (3, 11):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                group.create_task(self.send_message(Ask("turn"), world.id("a", "child")))
        return "timeout"

    async def wait(self, message):
        await gate.wait()

    async def publish(self, message):
        for _ in range(3):
            await self.publish_message(Ask("hear"), core.TopicId("t", "default"))

    async def hear(self, message):
        await asyncio.sleep(0)
        received.append(self.id.type)

    actions = (through, turn, sleep, fail, thread, nest, gather, timeout, wait, publish, hear)
    what_to_do = {action.__name__: action for action in actions}
    for name in "abc":
        await world.agent(name, works, topic="t", routed=routed, keys=["default", *range(10)])
    world.start()

    for name in ("through", "turn", "sleep", "thread", "timeout"):
        assert await world.ask("a", name) == name
    assert await world.ask("a", "nest") == ["through", "turn", "sleep"]
    assert await world.ask("a", "gather") == ["turn", "through"] * 10
    with pytest.raises(ValueError, match="fail"):
        await world.ask("a", "fail")
    for _ in range(200):
        assert await world.ask("a", "through") == "through"
    await world.ask("a", "publish")
    await until(lambda: len(received) == 6)
    assert sorted(received) == ["b", "b", "b", "c", "c", "c"]
    waiting = asyncio.ensure_future(world.ask("a", "wait"))
    await turns()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    await turns()
    await world.idle()
