"""Registration of the subscriptions, serializers and options of an agent class."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ferrogen.agents.agent_type import AgentType
from ferrogen.messaging.subscription import (
    Subscription,
    SubscriptionInstantiationContext,
    UnboundSubscription,
)
from ferrogen.messaging.subscriptions import TypePrefixSubscription

if TYPE_CHECKING:
    from ferrogen.agents.options import AgentOptions
    from ferrogen.runtime.protocols import AgentRuntime


async def bind_subscriptions(
    agent_type: AgentType, factories: Iterable[UnboundSubscription]
) -> list[Subscription]:
    """Call subscription factories, in the context of their agent type."""
    subscriptions: list[Subscription] = []
    with SubscriptionInstantiationContext.populate_context(agent_type):
        for factory in factories:
            made = factory()
            subscriptions.extend(await made if inspect.isawaitable(made) else made)
    return subscriptions


async def add_subscriptions(
    factories: Iterable[UnboundSubscription], runtime: AgentRuntime, agent_type: AgentType
) -> None:
    """Add the subscriptions that are declared on an agent class."""
    for subscription in await bind_subscriptions(agent_type, factories):
        await runtime.add_subscription(subscription)


def options_setter(
    cls: type[object], options: AgentOptions | None, runtime: AgentRuntime
) -> Callable[[str], None]:
    """Return a function that sets the options of an agent class on a runtime.

    Call this before anything is registered: it rejects a runtime without support for options.

    Raises:
        TypeError: The class has options, and the runtime does not support them.
    """
    if options is None:
        return lambda agent_type: None
    setter = getattr(runtime, "set_agent_options", None)
    if setter is None:
        raise TypeError(
            f'runtime class "{type(runtime).__qualname__}" does not support agent options: give it '
            f"a method set_agent_options(agent_type, options), or remove @agent_options from "
            f'"{cls.__qualname__}"'
        )
    return lambda agent_type: setter(agent_type, options)


def direct_messages_to(agent_type: str) -> TypePrefixSubscription:
    """Create the subscription for topics that address an agent type."""
    # With the colon, agent type "a" does not receive messages for agent type "ab".
    return TypePrefixSubscription(topic_type_prefix=agent_type + ":", agent_type=agent_type)
