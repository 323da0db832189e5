"""Stopping with suspended handlers and queued messages."""

import asyncio
import gc
import warnings

import pytest

from .scenario import Ask, Scenario, until, yield_to_loop


async def waiting_agents(scenario):
    gate, ended = asyncio.Event(), []

    async def waits(self, message, ctx):
        await gate.wait()
        ended.append(message.value)
        return message.value

    async def passes_on(self, message, ctx):
        return await self.send_message(message, scenario.id("waits"))

    await scenario.agent("waits", waits, topic="t")
    await scenario.agent("passes_on", passes_on)
    scenario.start()
    return gate, ended


async def test_stop_does_not_wait_for_suspended_handlers_and_they_continue(scenario):
    gate, ended = await waiting_agents(scenario)
    asked = asyncio.ensure_future(scenario.ask("waits", "running"))
    await scenario.publish("t", "published")
    await yield_to_loop()
    await scenario.stop()
    assert ended == []
    gate.set()
    await until(lambda: len(ended) == 2)
    await yield_to_loop()
    if scenario.is_upstream:  # A21: the response is never delivered
        assert not asked.done()
        asked.cancel()
    else:
        assert await asked == "running"


async def test_the_sender_of_a_suspended_handler_gets_its_response_after_a_stop(scenario):
    gate, ended = await waiting_agents(scenario)
    asked = asyncio.ensure_future(scenario.ask("passes_on", "nested"))
    await yield_to_loop()
    await scenario.stop()
    gate.set()
    await until(lambda: ended)
    await yield_to_loop()
    if scenario.is_upstream:  # A21
        assert not asked.done()
        asked.cancel()
    else:
        assert await asked == "nested"


async def test_senders_of_queued_messages_get_an_error_at_the_stop(scenario):
    gate, _ = await waiting_agents(scenario)
    first = asyncio.ensure_future(scenario.ask("waits", "running"))
    await yield_to_loop()
    left = [asyncio.ensure_future(scenario.ask("waits", number)) for number in range(3)]
    await scenario.publish("t", "left")
    await asyncio.sleep(0)  # accepted; upstream has taken at most one of them
    await scenario.stop()
    gate.set()
    await yield_to_loop(50)
    if scenario.is_upstream:  # A21: senders wait forever
        assert not all(sender.done() for sender in left)
        for sender in [first, *left]:
            sender.cancel()
        return
    assert await first == "running"
    outcomes = await asyncio.wait_for(asyncio.gather(*left, return_exceptions=True), 150)
    assert {type(one) for one in outcomes} == {scenario.exceptions.RuntimeStoppedError}


async def test_a_published_message_queued_at_the_stop_is_never_handled(scenario):
    gate, ended = await waiting_agents(scenario)
    gate.set()
    await scenario.publish("t", "left")
    await scenario.stop()
    await yield_to_loop()
    assert ended == []
    if not scenario.is_upstream:
        assert [letter.message.value for letter in scenario.runtime.dead_letters] == ["left"]


async def test_a_stopped_runtime_starts_again_and_new_messages_are_handled(scenario):
    gate, _ = await waiting_agents(scenario)
    old = asyncio.ensure_future(scenario.ask("waits", "old"))
    await yield_to_loop()
    await scenario.stop()
    gate.set()
    await yield_to_loop()
    scenario.start()
    assert await scenario.ask("waits", "new") == "new"
    if scenario.is_upstream:
        # The old response is still queued, and is delivered now.
        await yield_to_loop()
    assert await asyncio.wait_for(old, 150) == "old"


async def test_stop_when_idle_waits_for_suspended_handlers(scenario):
    gate, ended = await waiting_agents(scenario)
    await scenario.publish("t", "published")
    asked = asyncio.ensure_future(scenario.ask("passes_on", "nested"))
    stopping = asyncio.ensure_future(scenario.runtime.stop_when_idle())
    await yield_to_loop(50)
    assert not stopping.done()
    gate.set()
    await asyncio.wait_for(stopping, 150)
    scenario.is_started = False
    assert sorted(ended) == ["nested", "published"]
    assert await asked == "nested"


async def test_stop_from_inside_a_suspended_handler(scenario):
    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        await scenario.runtime.stop()
        await asyncio.sleep(0)
        return "stopped"

    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await yield_to_loop(50)
    scenario.is_started = False
    if scenario.is_upstream:  # A21
        assert not asked.done()
        asked.cancel()
    else:
        assert await asked == "stopped"


async def test_close_ends_suspended_handlers_or_leaves_them(scenario):
    """Upstream leaves handlers running that `close` has taken the agents from; we cancel them."""
    gate, ended = await waiting_agents(scenario)
    asked = asyncio.ensure_future(scenario.ask("waits", "running"))
    await yield_to_loop()
    scenario.is_started = False
    await asyncio.wait_for(scenario.runtime.close(), 150)
    await yield_to_loop()
    if scenario.is_upstream:
        assert not asked.done()
        gate.set()
        await yield_to_loop()
        asked.cancel()
    else:
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert ended == []


@pytest.mark.parametrize("waits_for", ["event", "agent"])
def test_the_end_of_the_loop_ends_suspended_handlers_in_order(core, mode, waits_for):
    """`asyncio.run` cancels what is left: each handler's finally runs, and nothing is reported."""
    ended, loop_errors = [], []

    async def main():
        scenario = Scenario(core, mode)
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: loop_errors.append(context)
        )

        async def waits(self, message, ctx):
            try:
                if message.value == "agent":
                    await self.send_message(Ask("event"), scenario.id("a", "inner"))
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.append(self.id.key)

        await scenario.agent("a", waits, topic="t")
        scenario.start()
        asked = asyncio.ensure_future(scenario.ask("a", waits_for))
        await scenario.publish("t", waits_for)
        await yield_to_loop(40)
        assert not asked.done()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(main())
        gc.collect()
    assert sorted(ended) == ["default"] * 2 + ["inner"] * 2 * (waits_for == "agent")
    if mode != "upstream":
        assert loop_errors == []


def test_a_runtime_outlives_its_loop_and_works_on_the_next_one(core, mode):
    scenario = Scenario(core, mode)

    async def handler(self, message, ctx):
        await asyncio.sleep(0)
        return asyncio.get_running_loop()

    async def once():
        scenario.start()
        assert await scenario.ask("a") is asyncio.get_running_loop()
        await scenario.idle()

    asyncio.run(scenario.agent("a", handler))
    asyncio.run(once())
    asyncio.run(once())
