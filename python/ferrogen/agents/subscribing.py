"""Class decorators that declare subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, overload

from ferrogen.agents.base import BaseAgent, subscription_factory
from ferrogen.messaging.default_subscription import DefaultSubscription
from ferrogen.messaging.subscription import SubscriptionInstantiationContext
from ferrogen.messaging.wildcard_subscription import WildcardSubscription, check_pattern

BaseAgentType = TypeVar("BaseAgentType", bound=BaseAgent)


@overload
def default_subscription() -> Callable[[type[BaseAgentType]], type[BaseAgentType]]: ...


@overload
def default_subscription(cls: type[BaseAgentType]) -> type[BaseAgentType]: ...


def default_subscription(
    cls: type[BaseAgentType] | None = None,
) -> Callable[[type[BaseAgentType]], type[BaseAgentType]] | type[BaseAgentType]:
    """Subscribe an agent class to the default topic; with or without parentheses.

    Subclasses do not inherit it.

    Example:
        ```python
        from ferrogen import MessageContext, RoutedAgent, default_subscription, message_handler


        @default_subscription
        class Listener(RoutedAgent):
            @message_handler
            async def on_news(self, news: str, ctx: MessageContext) -> None:
                print(news)
        ```

    Args:
        cls: The agent class, when used without parentheses.

    Returns:
        The class, or the class decorator.
    """
    decorator: Callable[[type[BaseAgentType]], type[BaseAgentType]]
    decorator = subscription_factory(lambda: [DefaultSubscription()])
    return decorator if cls is None else decorator(cls)


def type_subscription(
    topic_type: str,
) -> Callable[[type[BaseAgentType]], type[BaseAgentType]]:
    """Subscribe an agent class to one topic type. Subclasses do not inherit it.

    Example:
        ```python
        from ferrogen import MessageContext, RoutedAgent, message_handler, type_subscription


        @type_subscription("orders")
        class Clerk(RoutedAgent):
            @message_handler
            async def on_order(self, order: str, ctx: MessageContext) -> None:
                print(order)
        ```

    Args:
        topic_type: The topic type.

    Returns:
        The class decorator.
    """
    return subscription_factory(lambda: [DefaultSubscription(topic_type=topic_type)])


def wildcard_subscription(
    pattern: str,
) -> Callable[[type[BaseAgentType]], type[BaseAgentType]]:
    """Subscribe an agent class to topic types by a pattern. Subclasses do not inherit it.

    Not part of AutoGen's API.

    Example:
        ```python
        from ferrogen import MessageContext, RoutedAgent, message_handler, wildcard_subscription


        @wildcard_subscription("orders.*.created")
        class Clerk(RoutedAgent):
            @message_handler
            async def on_order(self, order: str, ctx: MessageContext) -> None:
                print(order)
        ```

    Args:
        pattern: The pattern; see `WildcardSubscription`.

    Returns:
        The class decorator.

    Raises:
        ValueError: The pattern is invalid.
        TypeError: The pattern is not text.
    """
    check_pattern(pattern)
    return subscription_factory(
        lambda: [WildcardSubscription(pattern, SubscriptionInstantiationContext.agent_type())]
    )
