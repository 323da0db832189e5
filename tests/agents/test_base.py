"""Base agents: their identity, and how they are registered."""

from dataclasses import dataclass
from typing import Any
from unittest import mock

import pytest

from ferrogen._core import AgentId, CancellationToken
from ferrogen.agents.agent_type import AgentType
from ferrogen.agents.base import BaseAgent, handles, subscription_factory
from ferrogen.agents.class_decorators import agent_options
from ferrogen.agents.instantiation import AgentInstantiationContext
from ferrogen.agents.options import AgentOptions
from ferrogen.messaging.subscriptions import (
    DefaultSubscription,
    TypePrefixSubscription,
    TypeSubscription,
)
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.protocols import Agent

SHOP_7 = AgentId("clerk", "shop-7")
DIRECT = TypePrefixSubscription("clerk:", "clerk")


@dataclass
class Order:
    what: str


async def later():
    return [DefaultSubscription("later")]


@subscription_factory(later)
@subscription_factory(lambda: [DefaultSubscription("now")])
@handles(Order)
class Clerk(BaseAgent):
    async def on_message_impl(self, message: Any, ctx: Any) -> Any:
        return message, ctx


class Derived(Clerk):
    pass


@agent_options(concurrency=1)
class Careful(Clerk):
    pass


class MoreCareful(Careful):
    pass


async def bound(runtime, agent=None):
    agent = agent or Clerk("takes orders")
    await agent.bind_id_and_runtime(SHOP_7, runtime)
    return agent


async def test_an_agent_built_by_a_runtime_knows_who_it_is(runtime):
    with AgentInstantiationContext.populate_context((runtime, SHOP_7)):
        agent = Clerk("takes orders")
    assert (agent.id, agent.type, agent.runtime) == (SHOP_7, "clerk", runtime)
    assert agent.metadata == {"type": "clerk", "key": "shop-7", "description": "takes orders"}
    assert isinstance(agent, Agent)


def test_an_agent_that_no_runtime_built_says_so():
    agent = Clerk("takes orders")
    for name in ("id", "type", "metadata", "runtime"):
        with pytest.raises(AttributeError, match='"Clerk" is not bound to a runtime'):
            getattr(agent, name)
    assert not hasattr(agent, "_id")
    assert not hasattr(agent, "_runtime")


async def test_sending_without_a_runtime_says_so():
    with pytest.raises(AttributeError, match="is not bound to a runtime"):
        await Clerk("d").send_message(Order("tea"), SHOP_7)


def test_a_description_must_be_text():
    with pytest.raises(ValueError, match="Agent description must be a string"):
        Clerk(7)


async def test_an_agent_is_bound_once(runtime, plain_runtime):
    agent = await bound(runtime)
    await agent.bind_id_and_runtime(SHOP_7, runtime)
    with pytest.raises(RuntimeError, match="already bound to a different ID"):
        await agent.bind_id_and_runtime(AgentId("clerk", "other"), runtime)
    with pytest.raises(RuntimeError, match="already bound to a different runtime"):
        await agent.bind_id_and_runtime(SHOP_7, plain_runtime)


async def test_messages_go_out_under_the_name_of_the_agent(runtime):
    agent, token, other = await bound(runtime), CancellationToken(), AgentId("cook", "1")
    assert (
        await agent.send_message("m", other, cancellation_token=token, message_id="7") == "response"
    )
    await agent.publish_message("m", TopicId("t", "s"), cancellation_token=token)
    assert runtime.sent == [
        ("m", other, {"sender": SHOP_7, "cancellation_token": token, "message_id": "7"}),
        ("m", TopicId("t", "s"), {"sender": SHOP_7, "cancellation_token": token}),
    ]


async def test_on_message_is_what_on_message_impl_returns(rpc_context):
    assert await Clerk("d").on_message("m", rpc_context) == ("m", rpc_context)


async def test_state_that_an_agent_does_not_keep_brings_a_warning():
    with pytest.warns(UserWarning, match="save_state not implemented") as caught:
        assert await Clerk("d").save_state() == {}
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="load_state not implemented"):
        await Clerk("d").load_state({})


async def test_registering_a_class_subscribes_it_and_adds_its_serializers(runtime):
    assert await Clerk.register(runtime, "clerk", lambda: Clerk("d")) == AgentType("clerk")
    assert runtime.registered == [("factory", "clerk", Clerk)]
    assert runtime.subscriptions == [
        TypeSubscription("now", "clerk"),
        TypeSubscription("later", "clerk"),
        DIRECT,
    ]
    assert [serializer.type_name for serializer in runtime.serializers] == ["Order"]
    assert runtime.build(SHOP_7).id == SHOP_7


async def test_subscriptions_can_be_left_out(runtime):
    await Clerk.register(
        runtime,
        "clerk",
        lambda: Clerk("d"),
        skip_class_subscriptions=True,
        skip_direct_message_subscription=True,
    )
    assert runtime.subscriptions == []


async def test_subclasses_inherit_neither_subscriptions_nor_serializers(runtime):
    await Derived.register(runtime, "clerk", lambda: Derived("d"))
    assert runtime.subscriptions == [DIRECT]
    assert runtime.serializers == []


async def test_registering_an_instance_subscribes_to_its_key(runtime):
    assert await Clerk("d").register_instance(runtime, SHOP_7) == SHOP_7
    assert runtime.subscriptions == [TypeSubscription("shop-7", "clerk"), DIRECT]


async def test_a_second_instance_shares_the_subscription_to_direct_messages(runtime):
    await Clerk("d").register_instance(runtime, SHOP_7)
    await Clerk("d").register_instance(runtime, AgentId("clerk", "shop-8"))
    assert runtime.subscriptions.count(DIRECT) == 1


async def test_an_instance_may_take_the_subscriptions_of_its_class(runtime):
    await Clerk("d").register_instance(
        runtime, SHOP_7, skip_class_subscriptions=False, skip_direct_message_subscription=True
    )
    assert runtime.subscriptions == [
        TypeSubscription("shop-7", "clerk"),
        TypeSubscription("now", "clerk"),
        TypeSubscription("later", "clerk"),
    ]


@pytest.mark.parametrize("cls", [Careful, MoreCareful])
async def test_options_reach_the_runtime_with_the_registration(cls, runtime):
    await cls.register(runtime, "clerk", lambda: cls("d"))
    await cls("d").register_instance(runtime, AgentId("teller", "1"))
    assert runtime.registered == [
        ("factory", "clerk", cls),
        ("options", "clerk", AgentOptions(concurrency=1)),
        ("instance", AgentId("teller", "1")),
        ("options", "teller", AgentOptions(concurrency=1)),
    ]


async def test_a_runtime_without_options_refuses_such_a_class_untouched(plain_runtime):
    words = '"PlainRuntime" does not support agent options: give it a method set_agent_options'
    with pytest.raises(TypeError, match=words):
        await Careful.register(plain_runtime, "clerk", lambda: Careful("d"))
    with pytest.raises(TypeError, match=words):
        await Careful("d").register_instance(plain_runtime, SHOP_7)
    assert plain_runtime.registered == []


async def test_a_class_without_options_needs_no_such_runtime(plain_runtime):
    await Clerk.register(plain_runtime, "clerk", lambda: Clerk("d"))
    assert plain_runtime.registered == [("factory", "clerk", Clerk)]


def test_a_type_that_no_serializer_is_known_for_cannot_be_declared():
    with pytest.raises(ValueError, match="No serializers found for type <class 'int'>"):
        handles(int)(Derived)


async def test_a_mock_of_an_agent_can_be_awaited() -> None:
    agent = Clerk("is bound to nothing")
    with (
        mock.patch.object(agent, "send_message") as send,
        mock.patch.object(agent, "publish_message"),
    ):
        send.return_value = "mocked"
        assert await agent.send_message("x", AgentId("a", "b")) == "mocked"
        await agent.publish_message("x", TopicId("t", "s"))
