"""Class decorators that declare subscriptions and options."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, overload

from ferrogen.agents.base import BaseAgent, subscription_factory
from ferrogen.agents.circuit_breaker import CircuitBreaker
from ferrogen.agents.options import AgentOptions, Order, Overflow
from ferrogen.agents.retry_policy import RetryPolicy
from ferrogen.agents.supervision import Supervision
from ferrogen.messaging.subscription import SubscriptionInstantiationContext
from ferrogen.messaging.subscriptions import (
    DefaultSubscription,
    WildcardSubscription,
    check_pattern,
)

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


def agent_options(
    *,
    order: Order = "concurrent",
    concurrency: int | None = None,
    capacity: int | None = None,
    overflow: Overflow = "reject",
    passivate_after: float | None = None,
    max_active: int | None = None,
    retry: RetryPolicy | None = None,
    circuit_breaker: CircuitBreaker | None = None,
    supervision: Supervision | None = None,
) -> Callable[[type[BaseAgentType]], type[BaseAgentType]]:
    """Declare the options of an agent class; subclasses inherit them.

    The runtime gets them when the class is registered with ``register`` or ``register_instance``.

    Example:
        ```python
        from ferrogen import RoutedAgent, agent_options


        @agent_options(concurrency=1)
        class Accountant(RoutedAgent):
            '''Handles one message after the other.'''
        ```

    Args:
        order: Whether one agent handles messages at the same time or one after the other; see
            `AgentOptions.order`.
        concurrency: How many messages one agent handles at the same time; None means no limit.
        capacity: How many messages may be queued for one agent; None means no limit.
        overflow: The rule for a full mailbox; see `AgentOptions.overflow`.
        passivate_after: After how many idle seconds an agent is closed and removed; None means
            never.
        max_active: How many agents of the type are kept in memory; None means no limit.
        retry: How a handler that has failed is called again; None means never.
        circuit_breaker: When messages are rejected at once, because handlers keep failing; None
            means never.
        supervision: The consequence of a failure of the agent; by default there is none.

    Returns:
        The class decorator.

    Raises:
        ValueError: An option has an invalid value.
    """
    options = AgentOptions(
        order=order,
        concurrency=concurrency,
        capacity=capacity,
        overflow=overflow,
        passivate_after=passivate_after,
        max_active=max_active,
        retry=retry,
        circuit_breaker=circuit_breaker,
        supervision=supervision,
    )

    def declare(cls: type[BaseAgentType]) -> type[BaseAgentType]:
        cls.internal_agent_options = options
        return cls

    return declare
