"""A program of common features, for many kinds of event loops and agents."""

import asyncio
import contextvars
import sys

import pytest

from .scenario import Ask, Scenario, until, yield_to_loop

variable = contextvars.ContextVar("variable", default="nothing")


async def everyday(scenario: Scenario, *, routed: bool = True) -> None:  # noqa: PLR0915 - it is a list
    """Register agents that use the common features, and check the results."""
    core = scenario.core
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

    async def yields(self, message):
        await asyncio.sleep(0)
        return "yields"

    async def sleep(self, message):
        await asyncio.sleep(0.001)
        return "sleep"

    async def fail(self, message):
        await asyncio.sleep(0)
        raise ValueError("fail")

    async def thread(self, message):
        return await asyncio.to_thread(variable.get)

    async def nest(self, message):
        names = ("through", "yields", "sleep")
        return [await self.send_message(Ask(n), scenario.id("a", n)) for n in names]

    async def gather(self, message):
        names = ("yields", "through") * 10
        return await asyncio.gather(
            *(
                self.send_message(Ask(name), scenario.id("a", str(i)))
                for i, name in enumerate(names)
            )
        )

    async def timeout(self, message):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(self.send_message(Ask("wait"), scenario.id("a", "slow")), 0.001)
        if sys.version_info >= (3, 11):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await asyncio.Event().wait()
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                group.create_task(self.send_message(Ask("yields"), scenario.id("a", "child")))
        return "timeout"

    async def wait(self, message):
        await gate.wait()

    async def publish(self, message):
        for _ in range(3):
            await self.publish_message(Ask("receive"), core.TopicId("t", "default"))

    async def receive(self, message):
        await asyncio.sleep(0)
        received.append(self.id.type)

    actions = (through, yields, sleep, fail, thread, nest, gather, timeout, wait, publish, receive)
    what_to_do = {action.__name__: action for action in actions}
    for name in "abc":
        await scenario.agent(name, works, topic="t", routed=routed, keys=["default", *range(10)])
    scenario.start()

    for name in ("through", "yields", "sleep", "thread", "timeout"):
        assert await scenario.ask("a", name) == name
    assert await scenario.ask("a", "nest") == ["through", "yields", "sleep"]
    assert await scenario.ask("a", "gather") == ["yields", "through"] * 10
    with pytest.raises(ValueError, match="fail"):
        await scenario.ask("a", "fail")
    for _ in range(200):
        assert await scenario.ask("a", "through") == "through"
    await scenario.ask("a", "publish")
    await until(lambda: len(received) == 6)
    assert sorted(received) == ["b", "b", "b", "c", "c", "c"]
    waiting = asyncio.ensure_future(scenario.ask("a", "wait"))
    await yield_to_loop()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    await yield_to_loop()
    await scenario.idle()
