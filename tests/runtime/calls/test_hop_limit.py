"""Limits of hops: agents that send to each other in a loop are stopped."""

import asyncio

import pytest

from ferrogen import (
    AgentId,
    DeadLetterCause,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import HopLimitError

from ..function_agents import register


async def started(how, **options):
    """Two agents that pass each message on to the other one, and who has got one."""
    runtime = SingleThreadedAgentRuntime(**options)
    seen = []

    async def pass_on(agent, message, ctx):
        seen.append(agent.id.key)
        other = "pong" if agent.id.key == "ping" else "ping"
        if how == "send":
            return await agent.send_message(message, AgentId("player", other))
        if how == "gather":
            await asyncio.gather(agent.send_message(message, AgentId("player", other)))
        if how == "task":
            await asyncio.create_task(agent.send_message(message, AgentId("player", other)))
        if how == "runtime":
            await runtime.send_message(message, AgentId("player", other))
        if how == "publish":
            await agent.publish_message(message, TopicId("balls", other))
        return None

    await register(runtime, "player", pass_on)
    await runtime.add_subscription(TypeSubscription("balls", "player"))
    runtime.start()
    return runtime, seen


PING = AgentId("player", "ping")


@pytest.mark.parametrize("how", ["send", "gather", "task", "runtime"])
async def test_a_loop_of_sends_ends(how):
    runtime, seen = await started(how)
    with pytest.raises(HopLimitError) as got:
        await runtime.send_message("ball", PING, max_hops=4)
    assert seen == ["ping", "pong", "ping", "pong"]
    assert [str(one) for one in got.value.path] == [
        "player/ping",
        "player/pong",
        "player/ping",
        "player/pong",
        "player/ping",
    ]
    assert "player/pong -> player/ping" in str(got.value)
    assert "max_hops" in str(got.value)
    [letter] = runtime.dead_letters
    assert (letter.cause, letter.path) == (DeadLetterCause.HOP_LIMIT, got.value.path)
    await runtime.close()


async def test_a_loop_of_publications_ends():
    runtime, seen = await started("publish", max_hops=6)
    await runtime.publish_message("ball", TopicId("balls", "ping"))
    await runtime.stop_when_idle()
    assert len(seen) == 6
    assert DeadLetterCause.HOP_LIMIT in [letter.cause for letter in runtime.dead_letters]
    await runtime.close()


async def test_the_runtime_limits_all_chains():
    runtime, seen = await started("send", max_hops=3)
    for _ in range(2):
        seen.clear()
        with pytest.raises(HopLimitError) as got:
            await runtime.send_message("ball", PING)
        assert (len(seen), got.value.max_hops) == (3, 3)
    await runtime.close()


async def test_a_message_can_only_lower_the_limit_of_its_chain():
    runtime = SingleThreadedAgentRuntime(max_hops=50)
    seen = []

    async def count(agent, message, ctx):
        seen.append(message)
        return await agent.send_message(message, agent.id, max_hops=message)

    counter = await register(runtime, "counter", count)
    runtime.start()
    with pytest.raises(HopLimitError):
        await runtime.send_message(1000, counter(), max_hops=5)
    assert len(seen) == 5
    seen.clear()
    with pytest.raises(HopLimitError):
        await runtime.send_message(2, counter(), max_hops=5)
    assert len(seen) == 3
    await runtime.close()


async def test_messages_that_begin_no_chain_are_not_limited():
    runtime, seen = await started("none", max_hops=1)
    for _ in range(3):
        await runtime.send_message("ball", PING)
    assert len(seen) == 3
    await runtime.close()


@pytest.mark.parametrize("given", [0, -1, True, 1.5, "many"])
async def test_an_invalid_limit_is_refused(given):
    runtime, seen = await started("send")
    with pytest.raises(ValueError, match="max_hops must be a whole number of at least 1"):
        await runtime.send_message("ball", PING, max_hops=given)
    with pytest.raises(ValueError, match="max_hops must be a whole number of at least 1"):
        SingleThreadedAgentRuntime(max_hops=given)
    assert seen == []
    await runtime.close()


async def test_a_long_path_is_shortened_in_the_text_only():
    runtime, _ = await started("send", max_hops=40)
    with pytest.raises(HopLimitError) as got:
        await runtime.send_message("ball", PING)
    assert len(got.value.path) == 41
    assert len(str(got.value)) < 500
    await runtime.close()
