"""Registration: the factories, instances, options and subscriptions of a runtime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from ferrogen._core import AgentId, is_valid_agent_type
from ferrogen.agents.agent_type import AgentType
from ferrogen.agents.options import AgentOptions
from ferrogen.messaging.subscription import Subscription
from ferrogen.runtime.failures.circuit import CircuitBreakerState
from ferrogen.runtime.protocols import Agent, AgentRuntime
from ferrogen.runtime.subscription_handle import SubscriptionHandle
from ferrogen.serialization.serializer import MessageSerializer

if TYPE_CHECKING:
    from ferrogen._core import Routes
    from ferrogen.runtime.failures.guards import Guards
    from ferrogen.runtime.instances.agent_table import AgentTable
    from ferrogen.serialization.registry import SerializationRegistry

__all__ = ["Registration"]

RegisteredT = TypeVar("RegisteredT", bound=Agent)


class Registration(AgentRuntime):
    """The registering methods of a runtime."""

    _agents: AgentTable
    _guards: Guards
    _routes: Routes
    _serialization: SerializationRegistry

    # Agents.

    async def register_factory(
        self,
        type: str | AgentType,
        agent_factory: Callable[[], RegisteredT | Awaitable[RegisteredT]],
        *,
        expected_class: type[RegisteredT] | None = None,
    ) -> AgentType:
        """Register the factory of an agent type.

        Args:
            type: The agent type.
            agent_factory: Creates one agent; `AgentInstantiationContext` has its id meanwhile.
            expected_class: The class of the agents that the factory creates.

        Returns:
            The agent type.

        Raises:
            ValueError: If the type is registered already, or has invalid characters.
        """
        agent_type = AgentType(type) if isinstance(type, str) else type
        if not is_valid_agent_type(agent_type.type):
            raise ValueError(
                f"Invalid agent type: {agent_type.type}. Use letters, digits, _, - and ."
            )
        self._agents.add_factory(agent_type.type, agent_factory, expected_class)
        return agent_type

    async def register_agent_instance(self, agent_instance: Agent, agent_id: AgentId) -> AgentId:
        """Register an agent that exists already.

        Args:
            agent_instance: The agent.
            agent_id: The id it gets.

        Returns:
            The id.

        Raises:
            ValueError: If the id is taken, its type has a factory, or the type's other instances
                are of another class.
        """
        await self._agents.add_instance(agent_instance, agent_id)
        return agent_id

    def set_agent_options(self, agent_type: str | AgentType, options: AgentOptions) -> None:
        """Set the options of the agents of a type. Not part of AutoGen's API; see `AgentOptions`.

        Args:
            agent_type: The agent type; it may be registered before or after.
            options: The options, in place of any set before.

        Raises:
            ValueError: They restart or limit agents that were registered as instances.
        """
        name = agent_type if isinstance(agent_type, str) else agent_type.type
        self._agents.set_options(name, options)

    def circuit_breaker_state(self, agent_type: str | AgentType) -> CircuitBreakerState:
        """Return the state of the circuit breaker of a type. Not part of AutoGen's API.

        Args:
            agent_type: The agent type.

        Raises:
            LookupError: The type has no circuit breaker.
            RuntimeError: No event loop is running, which has the time.
        """
        name = agent_type if isinstance(agent_type, str) else agent_type.type
        return self._guards.state(name)

    # Subscriptions and serializers.

    async def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscription; it applies to messages that are delivered from now on.

        Raises:
            ValueError: If an equal subscription exists.
        """
        self._routes.add(subscription)

    async def remove_subscription(self, id: str) -> None:
        """Remove a subscription.

        Raises:
            ValueError: If there is none with this id.
        """
        self._routes.remove(id)

    def subscription(self, subscription: Subscription) -> SubscriptionHandle:
        """Return the handle of a subscription, to add it temporarily. Not part of AutoGen's API.

        ``async with runtime.subscription(...)`` adds it and removes it at the end of the block;
        ``handle = await runtime.subscription(...)`` adds it, and ``await handle.remove()`` removes
        it.

        Args:
            subscription: The subscription; it is not added by this call itself.
        """
        return SubscriptionHandle(self, self._routes, subscription)

    def add_message_serializer(
        self, serializer: MessageSerializer[Any] | Sequence[MessageSerializer[Any]]
    ) -> None:
        """Add one or more serializers, which events and spans show messages with."""
        self._serialization.add_serializer(serializer)
