"""The closure agent: an async function as an agent."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

from ferrogen._core import AgentId, CancellationToken
from ferrogen.agents.agent_type import AgentType
from ferrogen.agents.base import BaseAgent
from ferrogen.agents.instantiation import AgentInstantiationContext
from ferrogen.agents.registration import bind_subscriptions
from ferrogen.agents.signatures import allows_anything, read_signature
from ferrogen.exceptions import CantHandleException
from ferrogen.messaging.message_context import MessageContext
from ferrogen.messaging.subscription import Subscription
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.protocols import AgentRuntime
from ferrogen.serialization.registry import serializers_of_handled_type

ClosureMessageT = TypeVar("ClosureMessageT")


def get_handled_types_from_closure(
    closure: Callable[[ClosureContext, ClosureMessageT, MessageContext], Awaitable[Any]],
) -> Sequence[type]:
    """List the message types that a closure is annotated to take.

    Args:
        closure: The closure.

    Returns:
        The types; ``AnyType`` among them if it takes any message.

    Raises:
        TypeError: It is not a closure that can be an agent; says what to do.
    """
    return read_signature(closure, "closure").target_types


class ClosureContext(Protocol):
    """The agent that a closure gets as its first argument: its id, and how it sends messages.

    Example:
        ```python
        from ferrogen import ClosureContext, MessageContext, TopicId


        async def announce(agent: ClosureContext, order: str, ctx: MessageContext) -> None:
            await agent.publish_message(f"{agent.id} got {order}", TopicId("orders", "all"))
        ```
    """

    @property
    def id(self) -> AgentId:
        """The address of the agent."""
        ...

    async def send_message(
        self,
        message: Any,
        recipient: AgentId,
        *,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
    ) -> Any:
        """Send a message to another agent and wait for its response."""
        ...

    async def publish_message(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        cancellation_token: CancellationToken | None = None,
    ) -> None:
        """Publish a message to the subscribers of a topic."""
        ...


class ClosureAgent(BaseAgent, ClosureContext):
    """An agent made of one async function, for example to collect the results of a runtime.

    Example:
        ```python
        import asyncio

        from ferrogen import ClosureAgent, ClosureContext, DefaultSubscription, DefaultTopicId
        from ferrogen import MessageContext, SingleThreadedAgentRuntime


        async def main() -> None:
            received: list[str] = []

            async def listen(agent: ClosureContext, message: str, ctx: MessageContext) -> None:
                received.append(message)

            runtime = SingleThreadedAgentRuntime()
            await ClosureAgent.register_closure(
                runtime, "listener", listen, subscriptions=lambda: [DefaultSubscription()]
            )
            runtime.start()
            await runtime.publish_message("hello", DefaultTopicId())
            await runtime.stop_when_idle()
            assert received == ["hello"]


        asyncio.run(main())
        ```

    Args:
        description: A short description of the agent.
        closure: Takes the agent, the message and its context.
        unknown_type_policy: The treatment of a message of another type than the closure is
            annotated to take: raise, warn and return None, or call the closure anyway.

    Raises:
        RuntimeError: It is not created by the factory of a runtime.
        TypeError: The closure has an invalid signature.
    """

    def __init__(
        self,
        description: str,
        closure: Callable[[ClosureContext, ClosureMessageT, MessageContext], Awaitable[Any]],
        *,
        unknown_type_policy: Literal["error", "warn", "ignore"] = "warn",
    ) -> None:
        if not AgentInstantiationContext.is_in_factory_call():
            raise RuntimeError(
                "a closure agent must be instantiated within the context of a factory call: use "
                "ClosureAgent.register_closure"
            )
        super().__init__(description)
        self._closure: Callable[[ClosureContext, Any, MessageContext], Awaitable[Any]] = closure
        types, policy = get_handled_types_from_closure(closure), unknown_type_policy
        self._expected_types, self._unknown_type_policy = types, policy
        self._expects_anything = allows_anything(types)

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        """Call the closure with the message, if the closure takes its type."""
        call, known = self._closure, self._expected_types
        expected = self._expects_anything or type(message) in known
        policy = "ignore" if expected else self._unknown_type_policy
        if policy not in ("warn", "error"):
            return await call(self, message, ctx)
        text = (
            f"closure agent {self.id} got a message of {type(message)}, but its closure takes "
            f"{known}. unknown_type_policy='ignore' calls the closure in any case; "
        )
        if policy == "error":
            raise CantHandleException(f"{text}'warn' drops the message with a warning")
        warnings.warn(f"{text}'error' fails the message", stacklevel=1)
        return None

    async def save_state(self) -> Mapping[str, Any]:
        """Return nothing: a closure agent has no state."""
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Do nothing: a closure agent has no state.

        Args:
            state: Ignored.
        """

    @classmethod
    async def register_closure(
        cls,
        runtime: AgentRuntime,
        type: str,
        closure: Callable[[ClosureContext, ClosureMessageT, MessageContext], Awaitable[Any]],
        *,
        unknown_type_policy: Literal["error", "warn", "ignore"] = "warn",
        skip_direct_message_subscription: bool = False,
        description: str = "",
        subscriptions: Callable[[], list[Subscription] | Awaitable[list[Subscription]]]
        | None = None,
    ) -> AgentType:
        """Register an async function as an agent.

        Args:
            runtime: The runtime to register with.
            type: The agent type.
            closure: Takes the agent, the message and its context. The annotation of the message
                says which types it takes; ``Any`` takes every message.
            unknown_type_policy: The treatment of a message of another type: raise, warn and return
                None, or call the closure anyway.
            skip_direct_message_subscription: Do not subscribe to topic types that start with the
                agent type and a colon.
            description: A short description of the agent.
            subscriptions: Creates the agent's subscriptions; may be async.

        Returns:
            The agent type.

        Raises:
            TypeError: The closure cannot be an agent; says what to do. Nothing is registered.
            SerializationError: Its message is a ``TypedDict``. Nothing is registered.
        """
        # Before anything is registered, so that a wrong closure leaves nothing behind.
        message_types = get_handled_types_from_closure(closure)
        if cls._unbound_subscriptions():
            raise TypeError(
                f'closure agent class "{cls.__qualname__}" has class subscriptions, which closure '
                "agents do not use: pass subscriptions= to register_closure instead"
            )
        serializers = (
            []
            if allows_anything(message_types)
            else [serializers_of_handled_type(message_type) for message_type in message_types]
        )
        any_closure: Callable[[ClosureContext, Any, MessageContext], Awaitable[Any]] = closure
        registered = await cls.register(
            runtime,
            type,
            lambda: cls(description, any_closure, unknown_type_policy=unknown_type_policy),
            skip_class_subscriptions=True,  # there are none, see above
            skip_direct_message_subscription=skip_direct_message_subscription,
        )
        factories = [] if subscriptions is None else [subscriptions]
        for bound in await bind_subscriptions(registered, factories):
            await runtime.add_subscription(bound)
        for known in serializers:
            runtime.add_message_serializer(known)
        return registered
