"""The base agent: identity, sending and registration."""

from __future__ import annotations

import functools
import warnings
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, TypeAlias, TypeVar, final, overload

from typing_extensions import Self, Unpack

from ferrogen._core import AgentId, CancellationToken
from ferrogen.agents.agent_type import AgentMetadata, AgentType
from ferrogen.agents.instantiation import AgentInstantiationContext
from ferrogen.agents.options import AgentOptions
from ferrogen.agents.registration import (
    add_subscriptions,
    direct_messages_to,
    options_setter,
)
from ferrogen.agents.signatures import is_coroutine_function
from ferrogen.messaging.message_context import MessageContext
from ferrogen.messaging.message_options import MessageOptions
from ferrogen.messaging.subscription import UnboundSubscription
from ferrogen.messaging.subscriptions import TypeSubscription
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.calls.response_types import ResponseType
from ferrogen.runtime.calls.streaming import read_stream
from ferrogen.runtime.protocols import Agent, AgentRuntime
from ferrogen.serialization.registry import try_get_known_serializers_for_type
from ferrogen.serialization.serializer import MessageSerializer

DecoratedT = TypeVar("DecoratedT", bound="BaseAgent")
ResponseT = TypeVar("ResponseT")
ResponseClass: TypeAlias = type[ResponseT]  # `type` is a property of agents
BaseAgentClass = TypeVar("BaseAgentClass", bound="type[BaseAgent]")


def subscription_factory(
    subscription: UnboundSubscription,
) -> Callable[[type[DecoratedT]], type[DecoratedT]]:
    """Add a subscription factory to an agent class; a class decorator."""

    def decorator(cls: type[DecoratedT]) -> type[DecoratedT]:
        declared = cls.internal_unbound_subscriptions_list
        declared.append(subscription)
        return cls

    return decorator


def handles(
    type: type[Any],
    serializer: MessageSerializer[Any] | list[MessageSerializer[Any]] | None = None,
) -> Callable[[type[DecoratedT]], type[DecoratedT]]:
    """Declare a message type, with its serializers, that an agent class handles.

    Args:
        type: The message type.
        serializer: One or several serializers; left out, the known ones for the type.

    Returns:
        The class decorator.

    Raises:
        ValueError: No serializer is known for the type, when the decorator is applied.
    """

    def decorator(cls: BaseAgentClass) -> BaseAgentClass:
        given = try_get_known_serializers_for_type(type) if serializer is None else serializer
        serializers = given if isinstance(given, Sequence) else [given]
        if not serializers:
            raise ValueError(
                f"No serializers found for type {type}: pass one to the decorator as serializer"
            )
        cls.internal_extra_handles_types.append((type, serializers))
        return cls

    return decorator


class BaseAgent(ABC, Agent):
    """A base class for agents; subclasses implement `on_message_impl`. See also `RoutedAgent`.

    Example:
        ```python
        import asyncio
        from typing import Any

        from ferrogen import AgentId, BaseAgent, MessageContext, SingleThreadedAgentRuntime


        class Echo(BaseAgent):
            async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
                return message


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Echo.register(runtime, "echo", lambda: Echo("says it again"))
            runtime.start()
            assert await runtime.send_message("hello", AgentId("echo", "cave")) == "hello"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```

    Args:
        description: A short description of the agent; part of its metadata.

    Raises:
        ValueError: The description is not a string.
    """

    internal_unbound_subscriptions_list: ClassVar[list[UnboundSubscription]] = []
    internal_extra_handles_types: ClassVar[
        list[tuple[type[Any], list[MessageSerializer[Any]]]]
    ] = []
    internal_agent_options: ClassVar[AgentOptions | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # Subscriptions and serializers are declared anew on each class, as in AutoGen.
        cls.internal_unbound_subscriptions_list, cls.internal_extra_handles_types = [], []

    @classmethod
    def _handles_types(cls) -> list[tuple[type[Any], list[MessageSerializer[Any]]]]:
        return cls.internal_extra_handles_types

    @classmethod
    def _unbound_subscriptions(cls) -> list[UnboundSubscription]:
        return cls.internal_unbound_subscriptions_list

    def __init__(self, description: str) -> None:
        context = AgentInstantiationContext
        if context.is_in_factory_call():
            self._id: AgentId = context.current_agent_id()
            self._runtime: AgentRuntime = context.current_runtime()
        if not isinstance(description, str):
            # AutoGen's words, which programs match on.
            raise ValueError("Agent description must be a string")
        self._description = description

    async def bind_id_and_runtime(self, id: AgentId, runtime: AgentRuntime) -> None:
        """Bind the agent to its id and its runtime.

        Args:
            id: The id.
            runtime: The runtime.

        Raises:
            RuntimeError: The agent is bound to another id or another runtime already.
        """
        # AutoGen's words, which programs match on.
        if hasattr(self, "_id") and self._id != id:
            raise RuntimeError("Agent is already bound to a different ID")
        if hasattr(self, "_runtime") and self._runtime != runtime:
            raise RuntimeError("Agent is already bound to a different runtime")
        self._id, self._runtime = id, runtime

    @property
    def metadata(self) -> AgentMetadata:
        """The type, key and description of the agent."""
        agent_id = self.id
        return AgentMetadata(key=agent_id.key, type=agent_id.type, description=self._description)

    @property
    def type(self) -> str:
        """The type part of the agent's id."""
        return self.id.type

    @property
    def id(self) -> AgentId:
        """The id of the agent."""
        try:
            return self._id
        except AttributeError:
            raise self._not_bound() from None

    @property
    def runtime(self) -> AgentRuntime:
        """The runtime that the agent is bound to."""
        try:
            return self._runtime
        except AttributeError:
            raise self._not_bound() from None

    def _not_bound(self) -> AttributeError:
        # An AttributeError, as in AutoGen: `hasattr` and checks against `Agent` rely on it.
        if not hasattr(self, "_description"):
            return AttributeError(
                f'agent of class "{self.__class__.__qualname__}" has no id and no runtime: its '
                "__init__ does not call super().__init__(description)"
            )
        return AttributeError(
            f'agent of class "{self.__class__.__qualname__}" is not bound to a runtime: use '
            "register, so that the runtime builds it, or register_instance"
        )

    @final
    async def on_message(self, message: Any, ctx: MessageContext) -> Any:
        """Handle a message. Called by the runtime only; override `on_message_impl` instead."""
        return await self.on_message_impl(message, ctx)

    @abstractmethod
    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        """Handle a message.

        Args:
            message: The message.
            ctx: Its context.

        Returns:
            The response, or None.
        """
        ...

    # These two return the coroutine of the runtime: another one around it would cost half as much
    # as the message.

    @is_coroutine_function
    def send_message(
        self,
        message: Any,
        recipient: AgentId,
        *,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
        **options: Unpack[MessageOptions],
    ) -> Coroutine[Any, Any, Any]:
        """Send a message to another agent and wait for its response.

        Args:
            message: The message.
            recipient: The agent to send it to.
            cancellation_token: Cancels the message.
            message_id: Names the message in logs and traces; generated if left out.
            **options: Its priority, timeout and so on; see `MessageOptions`.

        Returns:
            The response.
        """
        try:
            send, sender = self._runtime.send_message, self._id
        except AttributeError:
            send, sender = self.runtime.send_message, self.id  # which raise a clear error
        if options:  # not every runtime has them
            send = functools.partial(send, **dict[str, Any](options))
        return send(
            message,
            sender=sender,
            recipient=recipient,
            cancellation_token=cancellation_token,
            message_id=message_id,
        )

    @is_coroutine_function
    def publish_message(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        cancellation_token: CancellationToken | None = None,
        **options: Unpack[MessageOptions],
    ) -> Coroutine[Any, Any, None]:
        """Publish a message to the subscribers of a topic.

        Args:
            message: The message.
            topic_id: The topic.
            cancellation_token: Cancels the message.
            **options: Its priority, timeout and so on; see `MessageOptions`.
        """
        try:
            publish, sender = self._runtime.publish_message, self._id
        except AttributeError:
            publish, sender = self.runtime.publish_message, self.id
        if options:
            publish = functools.partial(
                publish, **dict[str, Any](options)
            )  # not every runtime has them
        return publish(message, topic_id, sender=sender, cancellation_token=cancellation_token)

    @overload
    async def ask(
        self,
        agent_id: AgentId,
        message: Any,
        response_type: ResponseClass[ResponseT],
        **options: Any,
    ) -> ResponseT: ...
    @overload
    async def ask(
        self, agent_id: AgentId, message: Any, response_type: None, **options: Any
    ) -> None: ...
    @overload
    async def ask(
        self, agent_id: AgentId, message: Any, response_type: object, **options: Any
    ) -> Any: ...
    async def ask(
        self, agent_id: AgentId, message: Any, response_type: object, **options: Any
    ) -> Any:
        """Send a message to another agent, and return its response, which has the given type.

        Args:
            agent_id: The agent to send it to.
            message: The message.
            response_type: A class, a union, None, or `Any`. Of `list[int]` the class is checked.
            **options: Further arguments of `send_message`.

        Returns:
            The response.

        Raises:
            ResponseTypeError: The response has another type. It is a `TypeError`.
            TypeError: No response can be checked against `response_type`; nothing was sent.
            BaseException: Whatever `send_message` raises.
        """
        expected = ResponseType(response_type)
        response = await self.send_message(message, agent_id, **options)
        return expected.check(response, agent_id, message)

    def stream(self, message: Any, agent_id: AgentId, **options: Any) -> AsyncGenerator[Any, None]:
        """Send a message to another agent, and read the parts with which its handler responds.

        Args:
            message: The message.
            agent_id: The agent to send it to; its handler is decorated with `stream`.
            **options: Further arguments of `send_message`.

        Returns:
            An async iterator of the parts. The message is sent when the first part is asked for,
            and the generator of the handler is closed when the reader leaves.
        """
        return read_stream(self.runtime, self.send_message, message, agent_id, **options)

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state of the agent. Override it: this one warns and returns nothing."""
        _warn_not_implemented("save_state")
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Restore a state that `save_state` returned. Override it: this one only warns.

        Args:
            state: That state.
        """
        _warn_not_implemented("load_state")

    async def on_activate(self) -> None:
        """Called when the agent is built, before its first message. Override it to prepare.

        An agent that raises here could not be built: its messages fail with the error. An agent
        that was registered as an instance is activated when it is registered.
        """

    async def on_restart(self, error: BaseException) -> None:
        """Called when the agent takes the place of one that has failed, before its first message.

        It was activated before, and has the state of the other one, if that is kept. An agent that
        raises here has failed, too.

        Args:
            error: The error with which the other one has failed.
        """

    async def on_deactivate(self) -> None:
        """Called before `close`. Override it to store what the agent has to keep.

        An agent is closed when it is passivated, restarted or stopped, and when its runtime closes.
        No message reaches it afterwards.
        """

    async def close(self) -> None:
        """Release the resources of the agent. Override it if there are any."""

    async def register_instance(
        self,
        runtime: AgentRuntime,
        agent_id: AgentId,
        *,
        skip_class_subscriptions: bool = True,
        skip_direct_message_subscription: bool = False,
    ) -> AgentId:
        """Register this agent under an id, instead of a factory.

        The agent is also subscribed to the topic type that equals the key of the id.

        Args:
            runtime: The runtime to register with.
            agent_id: The id.
            skip_class_subscriptions: Do not add the subscriptions declared on the class.
            skip_direct_message_subscription: Do not subscribe to topic types that start with the
                agent type and a colon.

        Returns:
            The id.
        """
        agent_class = self.__class__
        set_options = options_setter(agent_class, agent_class.internal_agent_options, runtime)
        agent_id = await runtime.register_agent_instance(self, agent_id)
        set_options(agent_id.type)
        with_class, with_direct = not skip_class_subscriptions, not skip_direct_message_subscription
        own_topic_type = TypeSubscription(agent_id.key, agent_id.type)
        await runtime.add_subscription(own_topic_type)
        if with_class:
            await add_subscriptions(
                agent_class._unbound_subscriptions(), runtime, AgentType(agent_id.type)
            )
        if with_direct:
            with suppress(ValueError):  # another instance of this type has subscribed already
                await runtime.add_subscription(direct_messages_to(agent_id.type))
        for _message_type, serializers in agent_class._handles_types():
            runtime.add_message_serializer(serializers)
        return agent_id

    @classmethod
    async def register(
        cls,
        runtime: AgentRuntime,
        type: str,
        factory: Callable[[], Self | Awaitable[Self]],
        *,
        skip_class_subscriptions: bool = False,
        skip_direct_message_subscription: bool = False,
    ) -> AgentType:
        """Register a factory for agents of this class, under an agent type.

        Args:
            runtime: The runtime to register with.
            type: The agent type.
            factory: Builds an agent; may be async.
            skip_class_subscriptions: Do not add the subscriptions declared on the class.
            skip_direct_message_subscription: Do not subscribe to topic types that start with the
                agent type and a colon.

        Returns:
            The agent type.
        """
        set_options = options_setter(cls, cls.internal_agent_options, runtime)
        agent_type = await runtime.register_factory(
            type=AgentType(type), agent_factory=factory, expected_class=cls
        )
        set_options(agent_type.type)
        with_class, with_direct = not skip_class_subscriptions, not skip_direct_message_subscription
        if with_class:
            await add_subscriptions(cls._unbound_subscriptions(), runtime, agent_type)
        if with_direct:
            await runtime.add_subscription(direct_messages_to(agent_type.type))
        for _message_type, serializers in cls._handles_types():
            runtime.add_message_serializer(serializers)
        return agent_type


def _warn_not_implemented(method: str) -> None:
    """Warn at the caller of an agent's method."""
    warnings.warn(f"{method} not implemented", stacklevel=3)
