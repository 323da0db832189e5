"""Closure agents: which messages reach the closure, and how one is registered."""

from dataclasses import dataclass
from typing import Any

import pytest

from ferrogen._core import AgentId
from ferrogen.agents.agent_type import AgentType
from ferrogen.agents.class_decorators import default_subscription
from ferrogen.agents.closure import ClosureAgent
from ferrogen.exceptions import CantHandleException
from ferrogen.messaging.subscriptions import (
    DefaultSubscription,
    TypePrefixSubscription,
    TypeSubscription,
)

EAR = AgentId("ear", "1")


@dataclass
class Word:
    text: str


async def repeat(agent, message: Word, ctx: object) -> Any:
    return agent.id, message, ctx


async def repeat_anything(agent, message: Any, ctx: object) -> Any:
    return message


async def make(runtime, closure, **how):
    await ClosureAgent.register_closure(runtime, "ear", closure, **how)
    return runtime.build(EAR)


async def test_the_closure_gets_agent_message_and_context(runtime, rpc_context):
    agent = await make(runtime, repeat)
    response = await agent.on_message(Word("hi"), rpc_context)
    assert response == (EAR, Word("hi"), rpc_context)


async def test_any_takes_every_message(runtime, rpc_context):
    agent = await make(runtime, repeat_anything, unknown_type_policy="error")
    assert await agent.on_message(7, rpc_context) == 7
    assert runtime.serializers == []


async def test_an_unknown_type_brings_a_warning_and_no_response(runtime, rpc_context):
    agent = await make(runtime, repeat)
    with pytest.warns(UserWarning, match="ear/1 got a message of <class 'int'>"):
        assert await agent.on_message(7, rpc_context) is None


async def test_an_unknown_type_may_be_an_error(runtime, rpc_context):
    agent = await make(runtime, repeat, unknown_type_policy="error")
    with pytest.raises(CantHandleException, match=r"ear/1 got a message of <class 'int'>"):
        await agent.on_message(7, rpc_context)


async def test_an_unknown_type_is_delivered_with_the_policy_ignore(runtime, rpc_context):
    agent = await make(runtime, repeat, unknown_type_policy="ignore")
    assert (await agent.on_message(7, rpc_context))[1] == 7


async def test_registering_subscribes_and_adds_serializers(runtime):
    async def subscriptions():
        return [DefaultSubscription("words")]

    agent_type = await ClosureAgent.register_closure(
        runtime, "ear", repeat, description="listens", subscriptions=subscriptions
    )
    assert agent_type == AgentType("ear")
    assert runtime.subscriptions == [
        TypePrefixSubscription("ear:", "ear"),
        TypeSubscription("words", "ear"),
    ]
    assert [serializer.type_name for serializer in runtime.serializers] == ["Word"]
    assert runtime.build(EAR).metadata["description"] == "listens"


async def test_subscriptions_need_not_be_async_and_direct_ones_can_be_left_out(runtime):
    await ClosureAgent.register_closure(
        runtime,
        "ear",
        repeat,
        skip_direct_message_subscription=True,
        subscriptions=lambda: [DefaultSubscription()],
    )
    assert runtime.subscriptions == [TypeSubscription("default", "ear")]


async def test_a_wrong_closure_leaves_nothing_registered(runtime):
    async def unsaid(agent, message, ctx) -> None:
        pass

    with pytest.raises(TypeError, match=r'message parameter "message" of closure ".*unsaid" has'):
        await ClosureAgent.register_closure(runtime, "ear", unsaid)
    assert runtime.registered == []


async def test_a_closure_agent_has_no_state(runtime):
    agent = await make(runtime, repeat)
    assert await agent.save_state() == {}
    await agent.load_state({"what": "ever"})


def test_only_a_runtime_builds_closure_agents():
    with pytest.raises(RuntimeError, match="must be instantiated within the context"):
        ClosureAgent("d", repeat)


async def test_class_subscriptions_are_refused(runtime):
    @default_subscription
    class Subscribed(ClosureAgent):
        pass

    with pytest.raises(TypeError, match="has class subscriptions"):
        await Subscribed.register_closure(runtime, "ear", repeat)
