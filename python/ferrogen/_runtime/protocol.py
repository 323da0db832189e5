"""The runtime protocol owns what agents and programs may ask of any runtime."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, overload, runtime_checkable

from ferrogen._agents.agent import Agent
from ferrogen._agents.agent_type import AgentType
from ferrogen._agents.metadata import AgentMetadata
from ferrogen._core import AgentId, CancellationToken
from ferrogen._messaging.subscription import Subscription
from ferrogen._messaging.topic import TopicId
from ferrogen._serialization.serializer import MessageSerializer

T = TypeVar("T", bound=Agent)


@runtime_checkable
class AgentRuntime(Protocol):
    """What agents and programs may ask of a runtime, wherever its agents live.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentRuntime, DefaultTopicId, SingleThreadedAgentRuntime


        async def announce(runtime: AgentRuntime) -> None:
            await runtime.publish_message("hello", DefaultTopicId())


        asyncio.run(announce(SingleThreadedAgentRuntime()))
        ```
    """

    async def send_message(
        self,
        message: Any,
        recipient: AgentId,
        *,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
    ) -> Any:
        """Send a message to one agent and wait for its answer.

        Args:
            message: The message.
            recipient: The agent to send it to; it is built if it does not exist yet.
            sender: The agent that sends it, or None when it comes from outside.
            cancellation_token: Cancels the message.
            message_id: Names the message in logs and traces; made up when left out.

        Returns:
            The answer.

        Raises:
            CantHandleException: The agent cannot handle the message.
            UndeliverableException: The message cannot reach the agent.
            MessageDroppedException: An intervention handler dropped it.
        """
        ...

    async def publish_message(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
    ) -> None:
        """Publish a message to whoever hears a topic, without waiting for them.

        Args:
            message: The message.
            topic_id: The topic.
            sender: The agent that publishes it, or None when it comes from outside; an agent
                does not hear what it published itself.
            cancellation_token: Cancels the message.
            message_id: Names the message in logs and traces; made up when left out.

        Raises:
            UndeliverableException: The message cannot be delivered.
        """
        ...

    async def register_factory(
        self,
        type: str | AgentType,
        agent_factory: Callable[[], T | Awaitable[T]],
        *,
        expected_class: type[T] | None = None,
    ) -> AgentType:
        """Register a way to build the agents of one type; adds no subscription.

        The ``register`` method of an agent class does this and subscribes too.

        Args:
            type: The agent type; not registered yet.
            agent_factory: Builds an agent; may be async. `AgentInstantiationContext` tells it
                for which id.
            expected_class: The class that the built agents must have; None to accept any.

        Returns:
            The agent type.
        """
        ...

    async def register_agent_instance(
        self,
        agent_instance: Agent,
        agent_id: AgentId,
    ) -> AgentId:
        """Register one agent that exists already; adds no subscription.

        The ``register_instance`` method of an agent does this and subscribes too.

        Args:
            agent_instance: The agent.
            agent_id: Its address. Several instances may share an agent type if they are of one
                class.

        Returns:
            The address.
        """
        ...

    async def try_get_underlying_agent_instance(self, id: AgentId, type: type[T] = Agent) -> T:  # type: ignore[assignment]
        """Get hold of the agent behind an address, if it lives where it can be reached.

        Sending messages is the better way to talk to an agent.

        Args:
            id: The address.
            type: The class that the agent must have.

        Returns:
            The agent.

        Raises:
            LookupError: There is no such agent.
            NotAccessibleError: The agent is out of reach, for instance in another process.
            TypeError: The agent is of another class.
        """
        ...

    @overload
    async def get(self, id: AgentId, /, *, lazy: bool = ...) -> AgentId: ...

    @overload
    async def get(
        self, type: AgentType | str, /, key: str = ..., *, lazy: bool = ...
    ) -> AgentId: ...

    async def get(
        self, id_or_type: AgentId | AgentType | str, /, key: str = "default", *, lazy: bool = True
    ) -> AgentId:
        """Make the address of an agent from its type and key, and the agent too if asked.

        Args:
            id_or_type: The agent type, or an address.
            key: The agent key; not used with an address.
            lazy: Whether to leave the building of the agent to its first message.

        Returns:
            The address.
        """
        ...

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state of all agents, as something that JSON can hold.

        Returns:
            The state; only `load_state` need understand it.
        """
        ...

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Take over a state that `save_state` returned.

        Args:
            state: That state.
        """
        ...

    async def agent_metadata(self, agent: AgentId) -> AgentMetadata:
        """Tell what may be known of an agent without talking to it.

        Args:
            agent: The address of the agent.

        Returns:
            Its metadata.
        """
        ...

    async def agent_save_state(self, agent: AgentId) -> Mapping[str, Any]:
        """Return the state of one agent, as something that JSON can hold.

        Args:
            agent: The address of the agent.

        Returns:
            Its state.
        """
        ...

    async def agent_load_state(self, agent: AgentId, state: Mapping[str, Any]) -> None:
        """Make one agent take over a state that `agent_save_state` returned.

        Args:
            agent: The address of the agent.
            state: That state.
        """
        ...

    async def add_subscription(self, subscription: Subscription) -> None:
        """Add a rule that says which agent hears which topics.

        Args:
            subscription: The rule.
        """
        ...

    async def remove_subscription(self, id: str) -> None:
        """Remove a rule again.

        Args:
            id: The id of the subscription.

        Raises:
            LookupError: There is no such subscription.
        """
        ...

    def add_message_serializer(
        self, serializer: MessageSerializer[Any] | Sequence[MessageSerializer[Any]]
    ) -> None:
        """Teach the runtime to turn a type of message into bytes and back.

        A serializer replaces one for the same type name and content type.

        Args:
            serializer: One serializer, or several.
        """
        ...
