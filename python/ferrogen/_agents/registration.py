"""Registration owns what a runtime is told about an agent class besides how to build its agents."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ferrogen._agents.agent_type import AgentType
from ferrogen._messaging.subscription import (
    Subscription,
    SubscriptionInstantiationContext,
    UnboundSubscription,
)
from ferrogen._messaging.type_prefix_subscription import TypePrefixSubscription

if TYPE_CHECKING:
    from ferrogen._agents.base import BaseAgent
    from ferrogen._runtime.protocol import AgentRuntime


async def bind_subscriptions(
    agent_type: AgentType, makers: Iterable[UnboundSubscription]
) -> list[Subscription]:
    """Call makers of subscriptions, in the context of the agent type they are for."""
    subscriptions: list[Subscription] = []
    with SubscriptionInstantiationContext.populate_context(agent_type):
        for make in makers:
            made = make()
            subscriptions.extend(await made if inspect.isawaitable(made) else made)
    return subscriptions


async def add_class_subscriptions(
    cls: type[BaseAgent], runtime: AgentRuntime, agent_type: AgentType
) -> None:
    """Add the subscriptions that are declared on an agent class."""
    for subscription in await bind_subscriptions(agent_type, cls._unbound_subscriptions()):
        await runtime.add_subscription(subscription)


def add_class_serializers(cls: type[BaseAgent], runtime: AgentRuntime) -> None:
    """Add the serializers of the message types that an agent class handles."""
    for _message_type, serializers in cls._handles_types():
        runtime.add_message_serializer(serializers)


def class_options_setter(cls: type[BaseAgent], runtime: AgentRuntime) -> Callable[[str], None]:
    """Make what tells a runtime the options of an agent class, once the class is registered.

    Made before anything is registered, so that a runtime without options is refused in time.

    Raises:
        TypeError: The class has options and the runtime cannot take them.
    """
    options = cls.internal_agent_options
    if options is None:
        return lambda agent_type: None
    setter = getattr(runtime, "set_agent_options", None)
    if setter is None:
        raise TypeError(
            f'runtime class "{type(runtime).__qualname__}" does not support agent options: give it '
            f"a method set_agent_options(agent_type, options), or take @agent_options off "
            f'"{cls.__qualname__}"'
        )
    return lambda agent_type: setter(agent_type, options)


def direct_messages_to(agent_type: str) -> TypePrefixSubscription:
    """Make the subscription by which a topic can address an agent type."""
    # The colon keeps agent type "a" from hearing what is meant for agent type "ab".
    return TypePrefixSubscription(topic_type_prefix=agent_type + ":", agent_type=agent_type)
