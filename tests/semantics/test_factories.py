"""Factories that suspend, and the messages queued for them."""

import asyncio
import contextvars

import pytest

from .scenario import Ask, until, yield_to_loop


async def responds(self, message, ctx):
    if message.value == "suspend":
        await asyncio.sleep(0)
    return id(self)


async def register(scenario, build):
    await scenario.runtime.register_factory("a", build)
    scenario.start()


async def test_concurrent_first_messages_wait_for_one_build(scenario):
    agent_class = scenario.agent_class(responds)
    gate, built = asyncio.Event(), []

    async def build():
        built.append(1)
        await gate.wait()
        return agent_class("built")

    await register(scenario, build)
    asked = [asyncio.ensure_future(scenario.ask("a", "suspend")) for _ in range(5)]
    await yield_to_loop(40)
    gate.set()
    identities = set(await asyncio.gather(*asked))
    if scenario.is_upstream:  # A6: one instance for each message
        assert len(identities) == len(built) == 5
    else:
        assert len(identities) == len(built) == 1


async def test_messages_that_waited_for_a_build_are_started_in_their_order(scenario):
    started, gate = [], asyncio.Event()

    async def handler(self, message, ctx):
        started.append(message.value)

    agent_class = scenario.agent_class(handler)

    async def build():
        await gate.wait()
        return agent_class("built")

    await scenario.runtime.register_factory("a", build)
    await scenario.runtime.add_subscription(scenario.core.TypeSubscription("t", "a"))
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a", 0))
    await yield_to_loop()
    for number in (1, 2):
        await scenario.publish("t", number)
    await yield_to_loop()
    last = asyncio.ensure_future(scenario.ask("a", 3))
    await yield_to_loop()
    assert started == []
    gate.set()
    await asyncio.gather(asked, last)
    await until(lambda: len(started) == 4)
    if not scenario.is_upstream:  # each message had its own build there
        assert started == [0, 1, 2, 3]


async def test_the_factory_runs_in_a_real_task_that_can_time_out(scenario):
    agent_class = scenario.agent_class(responds)
    seen = []

    async def build():
        task = asyncio.current_task()
        assert isinstance(task, asyncio.Task)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.001)
        assert asyncio.current_task() is task
        seen.append(str(scenario.core.AgentInstantiationContext.current_agent_id()))
        return agent_class("built")

    await register(scenario, build)
    await scenario.ask("a")
    assert seen == ["a/default"]


async def test_variables_set_by_a_factory_reach_no_handler_and_no_sender(scenario):
    variable = contextvars.ContextVar("variable", default="nothing")

    async def handler(self, message, ctx):
        return variable.get()

    agent_class = scenario.agent_class(handler)

    def build():
        variable.set("built")
        return agent_class("built")

    await register(scenario, build)
    first = await scenario.ask("a")
    # Upstream builds an agent in the task of its first message.
    assert first == ("built" if scenario.is_upstream else "nothing")
    assert await scenario.ask("a") == "nothing"
    assert variable.get() == "nothing"


async def test_a_build_that_fails_fails_its_waiters_and_is_tried_again(scenario):
    agent_class = scenario.agent_class(responds)
    gate, attempts = asyncio.Event(), []

    async def build():
        attempts.append(1)
        await gate.wait()
        if len(attempts) <= 3:
            raise ValueError("no agent today")
        return agent_class("built")

    await register(scenario, build)
    asked = [asyncio.ensure_future(scenario.ask("a")) for _ in range(3)]
    await yield_to_loop(30)
    gate.set()
    for outcome in await asyncio.gather(*asked, return_exceptions=True):
        assert isinstance(outcome, ValueError)
    attempts += [0, 0, 0]
    assert isinstance(await scenario.ask("a"), int)


async def test_a_caller_that_gives_up_does_not_end_the_build(scenario):
    agent_class = scenario.agent_class(responds)
    gate, built = asyncio.Event(), []

    async def build():
        await gate.wait()
        built.append(1)
        return agent_class("built")

    await register(scenario, build)
    impatient = asyncio.ensure_future(scenario.ask("a"))
    await yield_to_loop()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    gate.set()
    await until(lambda: built)
    assert isinstance(await scenario.ask("a"), int)


async def test_a_factory_may_send_to_another_agent_before_it_is_done(scenario):
    async def configuration(self, message, ctx):
        await asyncio.sleep(0)
        return "configured"

    async def handler(self, message, ctx):
        return self.word

    agent_class = scenario.agent_class(handler)

    async def build():
        agent = agent_class("built")
        agent.word = await scenario.runtime.send_message(Ask(), scenario.id("configuration"))
        return agent

    await scenario.agent("configuration", configuration)
    await register(scenario, build)
    assert await scenario.ask("a") == "configured"


async def test_a_sender_gets_the_error_of_the_first_build_however_the_factory_fails(scenario):
    class Odd(BaseException):
        pass

    def at_once():
        raise failures.pop(0)

    async def waits():
        await asyncio.sleep(0)
        raise failures.pop(0)

    for name, factory in (("quick", at_once), ("slow", waits)):
        failures = [ValueError("first"), Odd("second"), ValueError("third")]
        await scenario.runtime.register_factory(name, factory)
        if not scenario.is_started:
            scenario.start()
        for error, text in ((ValueError, "first"), (Odd, "second"), (ValueError, "third")):
            with pytest.raises(error, match=text):
                await scenario.ask(name)
        assert failures == []
    await scenario.idle()


async def test_a_factory_that_raises_stop_iteration_fails_like_any_other(scenario):
    def factory():
        raise StopIteration("odd")

    await scenario.runtime.register_factory("a", factory)
    scenario.start()
    for asking in (scenario.ask("a"), asyncio.create_task(scenario.ask("a"))):
        with pytest.raises(RuntimeError, match="StopIteration") as caught:
            await asyncio.wait_for(asking, 150)
        assert isinstance(caught.value.__cause__, StopIteration)
