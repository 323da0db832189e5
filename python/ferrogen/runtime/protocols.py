"""The protocols of agents and of runtimes, which refer to each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, overload, runtime_checkable

from ferrogen._core import AgentId, CancellationToken
from ferrogen.agents.agent_type import AgentMetadata, AgentType
from ferrogen.messaging.message_context import MessageContext
from ferrogen.messaging.subscription import Subscription
from ferrogen.messaging.topic import TopicId
from ferrogen.serialization.serializer import MessageSerializer


@runtime_checkable
class Agent(Protocol):
    """The interface of an agent that a runtime calls. Most agents inherit it from `BaseAgent`.

    Example:
        ```python
        from ferrogen import Agent


        def introduce(agent: Agent) -> str:
            return f"{agent.id}: {agent.metadata['description']}"
        ```
    """

    @property
    def metadata(self) -> AgentMetadata:
        """The type, key and description of the agent."""
        ...

    @property
    def id(self) -> AgentId:
        """The id of the agent."""
        ...

    async def bind_id_and_runtime(self, id: AgentId, runtime: AgentRuntime) -> None:
        """Bind the agent to its id and its runtime.

        Args:
            id: The id.
            runtime: The runtime.
        """
        ...

    async def on_message(self, message: Any, ctx: MessageContext) -> Any:
        """Handle a message. Called by the runtime only, never by another agent.

        Args:
            message: The message.
            ctx: Its context.

        Returns:
            The response, or None.

        Raises:
            asyncio.CancelledError: The message was cancelled.
            CantHandleException: The agent cannot handle this message.
        """
        ...

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state of the agent, as a JSON-serializable mapping."""
        ...

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `save_state` returned.

        Args:
            state: That state.
        """
        ...

    async def close(self) -> None:
        """Release the resources of the agent; called when the runtime closes."""
        ...


AgentT = TypeVar("AgentT", bound=Agent)


@runtime_checkable
class AgentRuntime(Protocol):
    """The interface of a runtime, for agents and programs.

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
        """Send a message to one agent and wait for its response.

        Args:
            message: The message.
            recipient: The agent to send it to; it is built if it does not exist yet.
            sender: The agent that sends it, or None when it comes from outside.
            cancellation_token: Cancels the message.
            message_id: Names the message in logs and traces; generated if left out.

        Returns:
            The response.

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
        """Publish a message to the subscribers of a topic, without waiting for them.

        Args:
            message: The message.
            topic_id: The topic.
            sender: The agent that publishes it, or None when it comes from outside; an agent
                does not receive what it published itself.
            cancellation_token: Cancels the message.
            message_id: Names the message in logs and traces; generated if left out.

        Raises:
            UndeliverableException: The message cannot be delivered.
        """
        ...

    async def register_factory(
        self,
        type: str | AgentType,
        agent_factory: Callable[[], AgentT | Awaitable[AgentT]],
        *,
        expected_class: type[AgentT] | None = None,
    ) -> AgentType:
        """Register a factory for the agents of one type; adds no subscription.

        The ``register`` method of an agent class does this and subscribes too.

        Args:
            type: The agent type; not registered yet.
            agent_factory: Builds an agent; may be async. `AgentInstantiationContext` has
                the id meanwhile.
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
            agent_id: Its id. Several instances may share an agent type if they are of one
                class.

        Returns:
            The id.
        """
        ...

    async def try_get_underlying_agent_instance(
        self,
        id: AgentId,
        type: type[AgentT] = Agent,  # type: ignore[assignment]
    ) -> AgentT:
        """Return the agent with this id, if it is accessible.

        Prefer to send messages.

        Args:
            id: The id.
            type: The class that the agent must have.

        Returns:
            The agent.

        Raises:
            LookupError: The agent does not exist.
            NotAccessibleError: The agent is not accessible, for instance in another process.
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
        self,
        id_or_type: AgentId | AgentType | str,
        /,
        key: str = "default",
        *,
        lazy: bool = True,
    ) -> AgentId:
        """Return the id of an agent; build the agent too if asked.

        Args:
            id_or_type: The agent type, or an id.
            key: The agent key; not used with an id.
            lazy: Whether the agent may be built later, by its first message.

        Returns:
            The id.
        """
        ...

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state of all agents, as a JSON-serializable mapping.

        Returns:
            The state, for `load_state`.
        """
        ...

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `save_state` returned.

        Args:
            state: That state.
        """
        ...

    async def agent_metadata(self, agent: AgentId) -> AgentMetadata:
        """Return the metadata of an agent.

        Args:
            agent: The id of the agent.

        Returns:
            Its metadata.
        """
        ...

    async def agent_save_state(self, agent: AgentId) -> Mapping[str, Any]:
        """Return the state of one agent, as a JSON-serializable mapping.

        Args:
            agent: The id of the agent.

        Returns:
            Its state.
        """
        ...

    async def agent_load_state(self, agent: AgentId, state: Mapping[str, Any]) -> None:
        """Restore a state of one agent that `agent_save_state` returned.

        Args:
            agent: The id of the agent.
            state: That state.
        """
        ...

    async def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscription.

        Args:
            subscription: The subscription.
        """
        ...

    async def remove_subscription(self, id: str) -> None:
        """Remove a subscription.

        Args:
            id: The id of the subscription.

        Raises:
            LookupError: The subscription does not exist.
        """
        ...

    def add_message_serializer(
        self, serializer: MessageSerializer[Any] | Sequence[MessageSerializer[Any]]
    ) -> None:
        """Add one or more serializers.

        A serializer replaces one for the same type name and content type.

        Args:
            serializer: One serializer, or several.
        """
        ...
