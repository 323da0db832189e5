"""Routed agents: which handler gets a message, and what is inherited."""

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest

from ferrogen import AgentId, MessageContext, SingleThreadedAgentRuntime
from ferrogen.agents.base import handles
from ferrogen.agents.handlers import event, message_handler, rpc
from ferrogen.agents.routed import RoutedAgent
from ferrogen.serialization.registry import try_get_known_serializers_for_type


@dataclass
class Order:
    what: str


@dataclass
class Refund:
    what: str


class Clerk(RoutedAgent):
    @message_handler(match=lambda message, ctx: message.what == "tea")
    async def a_tea(self, message: Order, ctx: Any) -> str:
        return "tea"

    @message_handler
    async def b_everything(self, message: Order | Refund, ctx: Any) -> str:
        return f"b {message.what}"

    @message_handler
    async def c_never(self, message: Order, ctx: Any) -> str:
        return "never"


class Senior(Clerk):
    @message_handler
    async def b_everything(self, message: Refund, ctx: Any) -> str:
        return "refunded"


class Silent(Clerk):
    async def b_everything(self, message: Order, ctx: Any) -> str:
        return "no handler any more"


async def test_the_first_handler_by_name_that_wants_a_message_gets_it(rpc_context):
    clerk = Clerk("d")
    assert await clerk.on_message(Order("tea"), rpc_context) == "tea"
    assert await clerk.on_message(Order("milk"), rpc_context) == "b milk"
    assert await clerk.on_message(Refund("milk"), rpc_context) == "b milk"


async def test_handlers_are_inherited_and_overridden_by_name(rpc_context):
    assert await Clerk("d").on_message(Refund("x"), rpc_context) == "b x"
    senior = Senior("d")
    assert await senior.on_message(Refund("x"), rpc_context) == "refunded"
    assert await senior.on_message(Order("tea"), rpc_context) == "tea"
    assert await senior.on_message(Order("milk"), rpc_context) == "never"


async def test_an_override_without_a_decorator_is_no_handler(rpc_context):
    silent = Silent("d")
    assert await silent.on_message(Order("milk"), rpc_context) == "never"
    assert await silent.on_message(Refund("milk"), rpc_context) is None


async def test_events_and_rpcs_of_one_type_go_to_their_own_handlers(rpc_context, event_context):
    seen = []

    class Both(RoutedAgent):
        @event
        async def received(self, message: Order, ctx: Any) -> None:
            seen.append("event")

        @rpc
        async def asked(self, message: Order, ctx: Any) -> str:
            return "response"

    agent = Both("d")
    assert await agent.on_message(Order("x"), event_context) is None
    assert await agent.on_message(Order("x"), rpc_context) == "response"
    assert seen == ["event"]


async def test_handlers_of_a_mixin_count(rpc_context):
    class Mixin:
        @message_handler
        async def mixed(self, message: Refund, ctx: Any) -> str:
            return "mixed"

    class Mixed(Mixin, RoutedAgent):
        pass

    assert await Mixed("d").on_message(Refund("x"), rpc_context) == "mixed"


async def test_a_subclass_is_not_a_message_of_its_base_class(rpc_context, caplog):
    class BigOrder(Order):
        pass

    with caplog.at_level(logging.INFO, "autogen_core"):
        assert await Clerk("d").on_message(BigOrder("x"), rpc_context) is None
    assert caplog.messages[0].startswith("Unhandled message: ")


async def test_an_agent_may_deal_with_unhandled_messages_itself(rpc_context):
    unhandled = []

    class Curious(RoutedAgent):
        async def on_unhandled_message(self, message, ctx):
            unhandled.append(message)

    await Curious("d").on_message(7, rpc_context)
    assert unhandled == [7]


async def test_handlers_are_looked_up_once_per_class(rpc_context, monkeypatch):
    class Counted(RoutedAgent):
        lookups = 0

        @classmethod
        def _discover_handlers(cls):
            Counted.lookups += 1
            return super()._discover_handlers()

    class Derived(Counted):
        pass

    for cls in (Counted, Derived):
        for _instance in range(3):
            await cls("d").on_message(7, rpc_context)
    assert Counted.lookups == 2


def test_each_handled_type_brings_its_serializers_once():
    assert [message_type for message_type, _serializers in Clerk._handles_types()] == [
        Order,
        Refund,
    ]


def test_a_type_without_serializers_is_refused_unless_one_is_declared():
    class Texts(RoutedAgent):
        @message_handler
        async def on_text(self, message: str, ctx: Any) -> None:
            pass

    with pytest.raises(ValueError, match="No serializers found for type <class 'str'>"):
        Texts._handles_types()
    serializers = try_get_known_serializers_for_type(Order)
    handles(str, serializers)(Texts)
    assert Texts._handles_types() == [(str, serializers)]


MessageT = TypeVar("MessageT")


class Abstract(RoutedAgent, ABC, Generic[MessageT]):
    """Says that there is a handler, and not of what."""

    def __init__(self) -> None:
        super().__init__("an agent")

    @message_handler
    @abstractmethod
    async def on_it(self, message: MessageT, ctx: MessageContext) -> MessageT: ...


async def test_an_abstract_handler_may_leave_its_type_to_the_one_that_overrides_it():
    class OfOrders(Abstract[Order]):
        @message_handler
        async def on_it(self, message: Order, ctx: MessageContext) -> Order:
            return message

    runtime = SingleThreadedAgentRuntime()
    await OfOrders.register(runtime, "orders", OfOrders)
    runtime.start()
    assert await runtime.send_message(Order("tea"), AgentId("orders", "1")) == Order("tea")
    assert await runtime.send_message(Refund("tea"), AgentId("orders", "1")) is None
    with pytest.raises(TypeError, match="abstract"):
        Abstract()  # type: ignore[abstract]
    await runtime.stop_when_idle()


def test_a_handler_that_is_not_abstract_must_name_its_types():
    with pytest.raises(TypeError, match="is not a type"):

        class Generous(RoutedAgent, Generic[MessageT]):
            @message_handler
            async def on_anything(self, message: MessageT, ctx: MessageContext) -> None: ...
