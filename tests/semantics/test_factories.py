"""Factories that suspend, and the messages queued for them."""

import asyncio
import contextvars

import pytest

from .world import Ask, turns, until


async def responds(self, message, ctx):
    if message.value == "suspend":
        await asyncio.sleep(0)
    return id(self)


async def register(world, build):
    await world.runtime.register_factory("a", build)
    world.start()


async def test_concurrent_first_messages_wait_for_one_build(world):
    agent_class = world.agent_class(responds)
    gate, built = asyncio.Event(), []

    async def build():
        built.append(1)
        await gate.wait()
        return agent_class("built")

    await register(world, build)
    asked = [asyncio.ensure_future(world.ask("a", "suspend")) for _ in range(5)]
    await turns(40)
    gate.set()
    identities = set(await asyncio.gather(*asked))
    if world.is_upstream:  # A6: one instance for each message
        assert len(identities) == len(built) == 5
    else:
        assert len(identities) == len(built) == 1


async def test_messages_that_waited_for_a_build_are_started_in_their_order(world):
    started, gate = [], asyncio.Event()

    async def handler(self, message, ctx):
        started.append(message.value)

    agent_class = world.agent_class(handler)

    async def build():
        await gate.wait()
        return agent_class("built")

    await world.runtime.register_factory("a", build)
    await world.runtime.add_subscription(world.core.TypeSubscription("t", "a"))
    world.start()
    asked = asyncio.ensure_future(world.ask("a", 0))
    await turns()
    for number in (1, 2):
        await world.publish("t", number)
    await turns()
    last = asyncio.ensure_future(world.ask("a", 3))
    await turns()
    assert started == []
    gate.set()
    await asyncio.gather(asked, last)
    await until(lambda: len(started) == 4)
    if not world.is_upstream:  # each message had its own build there
        assert started == [0, 1, 2, 3]


async def test_the_factory_runs_in_a_real_task_that_can_time_out(world):
    agent_class = world.agent_class(responds)
    seen = []

    async def build():
        task = asyncio.current_task()
        assert isinstance(task, asyncio.Task)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        assert asyncio.current_task() is task
        seen.append(str(world.core.AgentInstantiationContext.current_agent_id()))
        return agent_class("built")

    await register(world, build)
    await world.ask("a")
    assert seen == ["a/default"]


async def test_variables_set_by_a_factory_reach_no_handler_and_no_sender(world):
    variable = contextvars.ContextVar("variable", default="nothing")

    async def handler(self, message, ctx):
        return variable.get()

    agent_class = world.agent_class(handler)

    def build():
        variable.set("built")
        return agent_class("built")

    await register(world, build)
    first = await world.ask("a")
    # Upstream builds an agent in the task of its first message.
    assert first == ("built" if world.is_upstream else "nothing")
    assert await world.ask("a") == "nothing"
    assert variable.get() == "nothing"


async def test_a_build_that_fails_fails_its_waiters_and_is_tried_again(world):
    agent_class = world.agent_class(responds)
    gate, attempts = asyncio.Event(), []

    async def build():
        attempts.append(1)
        await gate.wait()
        if len(attempts) <= 3:
            raise ValueError("no agent today")
        return agent_class("built")

    await register(world, build)
    asked = [asyncio.ensure_future(world.ask("a")) for _ in range(3)]
    await turns(30)
    gate.set()
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, ValueError)
    attempts += [0, 0, 0]
    assert isinstance(await world.ask("a"), int)


async def test_a_caller_that_gives_up_does_not_end_the_build(world):
    agent_class = world.agent_class(responds)
    gate, built = asyncio.Event(), []

    async def build():
        await gate.wait()
        built.append(1)
        return agent_class("built")

    await register(world, build)
    impatient = asyncio.ensure_future(world.ask("a"))
    await turns()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    gate.set()
    await until(lambda: built)
    assert isinstance(await world.ask("a"), int)


async def test_a_factory_may_send_to_another_agent_before_it_is_done(world):
    async def configuration(self, message, ctx):
        await asyncio.sleep(0)
        return "configured"

    async def handler(self, message, ctx):
        return self.word

    agent_class = world.agent_class(handler)

    async def build():
        agent = agent_class("built")
        agent.word = await world.runtime.send_message(Ask(), world.id("configuration"))
        return agent

    await world.agent("configuration", configuration)
    await register(world, build)
    assert await world.ask("a") == "configured"


async def test_a_sender_gets_the_error_of_the_first_build_however_the_factory_fails(world):
    class Odd(BaseException):
        pass

    def at_once():
        raise failures.pop(0)

    async def waits():
        await asyncio.sleep(0)
        raise failures.pop(0)

    for name, factory in (("quick", at_once), ("slow", waits)):
        failures = [ValueError("first"), Odd("second"), ValueError("third")]
        await world.runtime.register_factory(name, factory)
        if not world.is_started:
            world.start()
        for error, text in ((ValueError, "first"), (Odd, "second"), (ValueError, "third")):
            with pytest.raises(error, match=text):
                await world.ask(name)
        assert failures == []
    await world.idle()


async def test_a_factory_that_raises_stop_iteration_fails_like_any_other(world):
    def factory():
        raise StopIteration("odd")

    await world.runtime.register_factory("a", factory)
    world.start()
    for asking in (world.ask("a"), asyncio.create_task(world.ask("a"))):
        with pytest.raises(RuntimeError, match="StopIteration") as caught:
            await asyncio.wait_for(asking, 5)
        assert isinstance(caught.value.__cause__, StopIteration)
