"""Leaks: messages, agents, subscriptions and runtimes come and go, and nothing stays.

Objects are counted by type around hundreds of rounds of everything that can happen to them;
what stays even once in each round would show as hundreds.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import subprocess
import sys
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    CancellationToken,
    DefaultInterventionHandler,
    DropMessage,
    SingleThreadedAgentRuntime,
    Subscription,
    TopicId,
    TypePrefixSubscription,
    TypeSubscription,
    WildcardSubscription,
)

from ..random_examples import IN_SOAK
from .function_agents import Doing, echo, instances, register, tally, until, until_idle

Runtime = SingleThreadedAgentRuntime


class Note:
    """A message that can be referenced weakly."""

    def __init__(self, text: str = "") -> None:
        self.text = text
        self.holds: Any = None


async def act(agent: Doing, message: Note, ctx: Any) -> Any:
    if message.text == "fail":
        raise KeyError(message)
    if message.text == "wait":
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    return Note("response")


def unbuildable() -> Any:
    raise OSError("cannot be built")


class DropSome(DefaultInterventionHandler):
    async def on_send(self, message: Any, **how: Any) -> Any:
        return DropMessage if message.text == "drop" else message


class Rule(Subscription):
    """A custom subscription that holds the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    @property
    def id(self) -> str:
        return "rule"

    def is_match(self, topic_id: TopicId) -> bool:
        return topic_id.type == "ruled"

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        return AgentId("a", topic_id.source)


async def everything_once(runtime: Runtime, number: int) -> None:
    """Ten messages, each to another end; subscriptions and agents that come and go."""
    key = f"key-{number}"
    runtime.set_agent_options("a", AgentOptions(passivate_after=0.001))
    rules = [
        TypeSubscription("news", "a"),
        TypePrefixSubscription("ne", "a"),
        WildcardSubscription("*.>", "a"),
        WildcardSubscription(f"news.{number}", "a"),
        Rule(runtime),
    ]
    for rule in rules:
        await runtime.add_subscription(rule)
    await runtime.publish_message(Note(), TopicId("news", key))
    await runtime.publish_message(Note("fail"), TopicId("ruled", key))
    await runtime.publish_message(Note(), TopicId("unsubscribed", key))
    token = CancellationToken()
    asking = [
        asyncio.ensure_future(runtime.send_message(message, recipient, cancellation_token=token))
        for message, recipient in (
            (Note(), AgentId("a", key)),
            (Note("fail"), AgentId("a", key)),
            (Note("drop"), AgentId("a", key)),
            (Note(), AgentId("unbuildable", key)),
            (Note(), AgentId("unregistered", key)),
        )
    ]
    given_up = asyncio.ensure_future(runtime.send_message(Note("wait"), AgentId("a", key)))
    by_token = asyncio.ensure_future(
        runtime.send_message(Note("wait"), AgentId("a", key), cancellation_token=token)
    )
    await asyncio.gather(*asking, return_exceptions=True)
    given_up.cancel()
    token.cancel()
    await asyncio.gather(given_up, by_token, return_exceptions=True)
    await until_idle(runtime)
    for rule in rules:
        await runtime.remove_subscription(rule.id)
    await until(lambda: instances(runtime) == [])  # all are passivated


def objects() -> Counter[str]:
    """Count what the collector knows, by type."""
    for _ in range(3):
        gc.collect()
    return Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())


def grown(before: Counter[str], after: Counter[str], least: int) -> dict[str, int]:
    return {name: count for name, count in (after - before).items() if count >= least}


async def prepared() -> Runtime:
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[DropSome()])
    await register(runtime, "a", act)
    await runtime.register_factory("unbuildable", unbuildable)
    runtime.start()
    return runtime


@pytest.fixture
def quiet(caplog: Any) -> None:
    """The runtime logs each failure, and pytest keeps each record with its exception."""
    caplog.set_level(logging.CRITICAL + 1, logger="autogen_core")


@pytest.mark.usefixtures("quiet")
async def test_thousands_of_messages_leave_no_object() -> None:
    runtime = await prepared()
    for number in range(110):  # until there are as many dead letters as are kept
        await everything_once(runtime, number)
    before = objects()
    for number in range(400):
        await everything_once(runtime, number)
    after = objects()
    assert grown(before, after, least=100) == {}
    counts = tally(runtime)
    # An unregistered recipient is refused before the message is accepted.
    assert counts["accepted"] == 510 * 9
    assert instances(runtime) == []
    assert len(runtime._routes) == 1  # agents of a registered class subscribe to "a:"
    await runtime.stop_when_idle()


@pytest.mark.usefixtures("quiet")
async def test_runtimes_that_are_dropped_without_a_word_are_collected() -> None:
    async def one_life() -> None:
        runtime = await prepared()
        await runtime.add_subscription(Rule(runtime))
        await everything_without_rule(runtime)
        await runtime.stop()

    async def everything_without_rule(runtime: Runtime) -> None:
        await runtime.send_message(Note(), AgentId("a", "1"))
        await runtime.publish_message(Note(), TopicId("ruled", "1"))
        await runtime.publish_message(Note(), TopicId("ruled", "2"))

    for _ in range(50):  # until the caches of abstract base classes are full
        await one_life()
    before = objects()
    for _ in range(50):
        await one_life()
    assert grown(before, objects(), least=5) == {}


@pytest.mark.parametrize("stop", ["stop", "stop_when_idle"])
async def test_idle_agents_do_not_keep_a_stopped_runtime_until_their_timer_fires(
    stop: str,
) -> None:
    runtime = await prepared()
    runtime.set_agent_options("a", AgentOptions(passivate_after=3600))
    await runtime.send_message(Note(), AgentId("a", "1"))
    await getattr(runtime, stop)()
    dropped = weakref.ref(runtime)
    del runtime
    gc.collect()
    assert dropped() is None


async def test_a_cycle_of_runtime_agent_message_and_subscription_is_collected() -> None:
    runtime = await prepared()
    rule, message, waiting = Rule(runtime), Note("wait"), Note()
    agent = await runtime.try_get_underlying_agent_instance(AgentId("a", "1"), Doing)
    await runtime.add_subscription(rule)
    message.holds = waiting.holds = [runtime, agent, rule]
    agent.__dict__["holds"] = [runtime, message, rule]
    await runtime.publish_message(message, TopicId("ruled", "1"))
    await runtime.stop()
    await runtime.publish_message(waiting, TopicId("ruled", "1"))
    gone = [weakref.ref(one) for one in (runtime, agent, rule, message, waiting)]
    gone.append(weakref.ref(runtime._engine))
    del runtime, agent, rule, message, waiting
    await asyncio.sleep(0)
    gc.collect()
    assert [reference() for reference in gone] == [None] * 6


async def test_a_message_and_its_response_are_freed_as_soon_as_they_are_done() -> None:
    """By counting references alone: a healthy round trip makes no garbage for the collector."""
    runtime = SingleThreadedAgentRuntime()
    a = await register(runtime, "a")
    await runtime.add_subscription(TypeSubscription("news", "a"))
    runtime.start()
    await runtime.send_message(Note(), a())
    gc.collect()
    gc.disable()
    try:
        message = Note()
        gone = weakref.ref(message)
        assert await runtime.send_message(message, a()) is message
        await runtime.publish_message(message, TopicId("news", "1"))
        del message
        await until_idle(runtime)
        for _ in range(5):
            await asyncio.sleep(0)
        assert gone() is None
    finally:
        gc.enable()
    await runtime.stop_when_idle()


async def test_what_lives_on_has_as_many_references_as_before() -> None:
    runtime = await prepared()
    agent_id, topic, token = AgentId("a", "1"), TopicId("news", "1"), CancellationToken()
    observed = [runtime, runtime._engine, runtime._routes, agent_id, topic, token, None]
    await runtime.add_subscription(TypeSubscription("news", "a"))
    agent = await runtime.try_get_underlying_agent_instance(agent_id, Doing)
    observed.append(agent)

    async def once() -> None:
        await runtime.send_message(Note(), agent_id, cancellation_token=token)
        await runtime.publish_message(Note("wait"), topic, cancellation_token=token)
        await until_idle(runtime)

    await once()
    gc.collect()
    before = [sys.getrefcount(one) for one in observed]
    for _ in range(200):
        await once()
    gc.collect()
    after = [sys.getrefcount(one) for one in observed]
    assert [max(0, now - then - 20) for then, now in zip(before, after, strict=True)] == [0] * 8
    await runtime.stop_when_idle()


async def test_closed_runtimes_hold_no_dead_agent_once_dropped() -> None:
    runtime = SingleThreadedAgentRuntime()
    a = await register(runtime, "a", echo)
    runtime.start()
    await runtime.send_message("x", a())
    agent = weakref.ref(await runtime.try_get_underlying_agent_instance(a(), Doing))
    await runtime.close()
    del runtime
    await asyncio.sleep(0)
    gc.collect()
    assert agent() is None


@pytest.mark.soak
def test_no_memory_stays(tmp_path: Path) -> None:
    """The same rounds measured from outside, so that what Rust holds is seen too."""
    count = 1200 if IN_SOAK else 300
    program = tmp_path / "rounds.py"
    program.write_text(
        f"""
import asyncio, gc, logging, sys
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.runtime.test_leaks import everything_once, prepared
logging.getLogger("autogen_core").setLevel(logging.CRITICAL + 1)

def resident():
    gc.collect()
    with open("/proc/self/statm") as numbers:
        return int(numbers.read().split()[1]) * 4096

async def main():
    runtime = await prepared()
    async def rounds(first, count):
        for number in range(first, first + count):
            await everything_once(runtime, number)
    await rounds(0, 200)
    before = resident()
    await rounds(1000, int(sys.argv[1]))
    print(resident() - before)
    await runtime.stop_when_idle()

asyncio.run(main())
"""
    )
    if not Path("/proc/self/statm").exists():
        pytest.skip("how much memory a process has is read from /proc")
    done = subprocess.run(
        [sys.executable, str(program), str(count)],
        capture_output=True,
        text=True,
        timeout=1000 if IN_SOAK else 150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # Each round has ten messages: a hundred bytes kept for each would be more than this.
    assert int(done.stdout) < 1000 * count
