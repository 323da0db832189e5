"""Introspection: the agents with their load, the subscriptions, the topology."""

from __future__ import annotations

import asyncio
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentInfo,
    AgentTypeInfo,
    DefaultSubscription,
    SingleThreadedAgentRuntime,
    Subscription,
    SubscriptionInfo,
    TopicId,
    TypePrefixSubscription,
    TypeSubscription,
    WildcardSubscription,
    agent_options,
)

from .function_agents import Doing, Gate, echo, register, until, until_idle

Runtime = SingleThreadedAgentRuntime


def loads(runtime: Runtime) -> list[tuple[str, str, int, int]]:
    return [(str(one.id), one.state, one.queued, one.running) for one in runtime.agents()]


async def test_a_new_runtime_has_no_agents_and_no_subscriptions(runtime: Runtime) -> None:
    assert runtime.agents() == ()
    assert runtime.subscriptions() == ()
    assert runtime.topology().agent_types == ()
    assert runtime.topology().subscriptions == ()


async def test_agents_are_those_that_messages_have_built_by_type_and_key(runtime: Runtime) -> None:
    b, a = await register(runtime, "b"), await register(runtime, "a")
    for agent_id in (b("2"), a(), b("1")):
        await runtime.send_message("x", agent_id)
    assert loads(runtime) == [
        ("a/default", "ready", 0, 0),
        ("b/1", "ready", 0, 0),
        ("b/2", "ready", 0, 0),
    ]
    assert {one.agent_class for one in runtime.agents()} == {Doing}


async def test_running_and_suspended_handlers_are_counted(runtime: Runtime) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    seen: list[Any] = []

    async def look(agent: Doing, message: Any, ctx: Any) -> None:
        seen.extend(loads(runtime))

    looking = await register(runtime, "looking", look)
    sends = [asyncio.ensure_future(runtime.send_message(n, a())) for n in range(3)]
    for _ in sends:
        await gate.arrived.get()
    await runtime.send_message("x", looking())
    assert seen == [("a/default", "ready", 0, 3), ("looking/default", "ready", 0, 1)]
    gate.open.set()
    await asyncio.gather(*sends)
    await until_idle(runtime)
    assert {load[2:] for load in loads(runtime)} == {(0, 0)}


async def test_messages_in_a_mailbox_are_counted_as_queued(runtime: Runtime) -> None:
    @agent_options(concurrency=1)
    class OneByOne(Doing): ...

    gate = Gate()
    await OneByOne.register(runtime, "a", lambda: OneByOne(gate))
    agent_id = AgentId("a", "k")
    sends = [asyncio.ensure_future(runtime.send_message(n, agent_id)) for n in range(4)]
    await gate.arrived.get()
    await until(lambda: loads(runtime) == [("a/k", "ready", 3, 1)])
    gate.open.set()
    await asyncio.gather(*sends)
    assert loads(runtime) == [("a/k", "ready", 0, 0)]


@pytest.mark.parametrize("expected", [Doing, None])
async def test_an_agent_that_is_being_built_has_its_registered_class_and_queued_messages(
    runtime: Runtime, expected: type[Doing] | None
) -> None:
    building, finish = asyncio.Event(), asyncio.Event()

    async def build() -> Doing:
        building.set()
        await finish.wait()
        return Doing(echo)

    await runtime.register_factory("a", build, expected_class=expected)
    agent_id = AgentId("a", "k")
    sends = [asyncio.ensure_future(runtime.send_message(n, agent_id)) for n in range(2)]
    await building.wait()
    await until(lambda: any(one.queued == 2 for one in runtime.agents()))
    assert runtime.agents() == (
        AgentInfo(id=agent_id, agent_class=expected, state="building", queued=2, running=0),
    )
    finish.set()
    assert await asyncio.gather(*sends) == [0, 1]
    assert runtime.agents() == (
        AgentInfo(id=agent_id, agent_class=Doing, state="ready", queued=0, running=0),
    )


async def test_an_agent_that_could_not_be_built_is_not_listed(runtime: Runtime) -> None:
    def fail() -> Doing:
        raise KeyError("no agent")

    await runtime.register_factory("a", fail)
    with pytest.raises(KeyError):
        await runtime.send_message("x", AgentId("a", "k"))
    assert runtime.agents() == ()


async def test_what_is_returned_does_not_change(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    await runtime.send_message("x", a("1"))
    before = runtime.agents()
    await runtime.send_message("x", a("2"))
    assert [str(one.id) for one in before] == ["a/1"]
    with pytest.raises(FrozenInstanceError):
        before[0].queued = 1  # type: ignore[misc]


async def test_subscriptions_are_in_the_order_of_delivery(runtime: Runtime) -> None:
    rules = [TypeSubscription("t", "a"), WildcardSubscription("*", "b"), TypeSubscription("u", "a")]
    for rule in rules:
        await runtime.add_subscription(rule)
    await runtime.remove_subscription(rules[0].id)
    await runtime.add_subscription(rules[0])
    assert runtime.subscriptions() == (rules[1], rules[2], rules[0])


class Everything(Subscription):
    @property
    def id(self) -> str:
        return "everything"

    def is_match(self, topic_id: TopicId) -> bool:
        return True

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        return AgentId("a", "k")


class OneSource(TypeSubscription):
    def is_match(self, topic_id: TopicId) -> bool:
        return topic_id.source == "mine" and super().is_match(topic_id)


@pytest.mark.parametrize(
    ("rule", "kind", "topics", "agent_type"),
    [
        (TypeSubscription("t", "a"), "type", "t", "a"),
        (DefaultSubscription("t", "a"), "type", "t", "a"),
        (TypePrefixSubscription("t", "a"), "prefix", "t", "a"),
        (WildcardSubscription("t.*", "a"), "wildcard", "t.*", "a"),
        (OneSource("t", "a"), "custom", "OneSource", "a"),
        (Everything(), "custom", "Everything", None),
    ],
)
async def test_the_topology_describes_every_kind_of_subscription(
    runtime: Runtime, rule: Any, kind: Any, topics: str, agent_type: str | None
) -> None:
    await runtime.add_subscription(rule)
    assert runtime.topology().subscriptions == (
        SubscriptionInfo(id=rule.id, kind=kind, topics=topics, agent_type=agent_type),
    )


async def test_the_topology_lists_registered_agent_types_and_those_that_subscriptions_name(
    runtime: Runtime,
) -> None:
    await register(runtime, "registered")
    await runtime.register_factory("factory", lambda: Doing(echo))
    await runtime.add_subscription(TypeSubscription("t", "missing"))
    topology = runtime.topology()
    assert topology.agent_types == (
        AgentTypeInfo(name="registered", agent_class=Doing, is_registered=True),
        AgentTypeInfo(name="factory", agent_class=None, is_registered=True),
        AgentTypeInfo(name="missing", agent_class=None, is_registered=False),
    )
    assert [one.is_direct for one in topology.subscriptions] == [True, False]
