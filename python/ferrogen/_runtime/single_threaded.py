"""The runtime that users hold: AutoGen's `SingleThreadedAgentRuntime`, with Rust bookkeeping."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, overload

from opentelemetry.trace import TracerProvider

from ferrogen._agents.agent import Agent
from ferrogen._agents.agent_type import AgentType
from ferrogen._agents.metadata import AgentMetadata
from ferrogen._agents.options import AgentOptions
from ferrogen._core import (
    AgentId,
    CancellationToken,
    Dispatcher,
    Drive,
    Routes,
    is_valid_agent_type,
)
from ferrogen._messaging.intervention import InterventionHandler
from ferrogen._messaging.subscription import Subscription
from ferrogen._messaging.topic import TopicId
from ferrogen._serialization.registry import SerializationRegistry
from ferrogen._serialization.serializer import MessageSerializer
from ferrogen._telemetry.loggers import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME
from ferrogen._telemetry.tracing import TraceHelper
from ferrogen._telemetry.tracing_config import MessageRuntimeTracingConfig
from ferrogen.exceptions import RecipientNotFoundError

from .agent_table import AgentTable, not_registered
from .dead_letters import DeadLetter, DeadLetters
from .envelope import DirectEnvelope, Envelope, PublishEnvelope
from .inbox import Inbox
from .inline import InlineHost
from .interception import Interception
from .loop_binding import LoopBinding
from .observer import Observer
from .protocol import AgentRuntime
from .settlement import Settlement
from .state import load_state, save_state

__all__ = ["SingleThreadedAgentRuntime"]

T = TypeVar("T", bound=Agent)

PLAIN_TASKS = "FERROGEN_PLAIN_TASKS"
"""The environment variable that makes every delivery a plain `asyncio.Task`, for debugging."""

_type = type  # parameters named `type` are part of the API, and hide the built-in


class SingleThreadedAgentRuntime(AgentRuntime):
    """Runs agents on one event loop: messages are taken in order, handlers run concurrently.

    Args:
        intervention_handlers: Asked about every message and answer, in this order; each gets what
            the one before made of it.
        tracer_provider: Where spans go; by default OpenTelemetry's global provider. The
            environment variable `AUTOGEN_DISABLE_RUNTIME_TRACING=true` turns spans off.
        ignore_unhandled_exceptions: Whether an error in the handler of a *published* message is
            only logged. If not, it halts the runtime and is raised by the next `process_next`,
            `stop`, `stop_when_idle` or `stop_when`. An error in the handler of a message that was
            *sent* goes to its sender in any case.

    Example:
        ```python
        import asyncio
        from dataclasses import dataclass

        from ferrogen import (
            AgentId,
            MessageContext,
            RoutedAgent,
            SingleThreadedAgentRuntime,
            message_handler,
        )


        @dataclass
        class Greeting:
            name: str


        class Greeter(RoutedAgent):
            def __init__(self) -> None:
                super().__init__("greets")

            @message_handler
            async def greet(self, message: Greeting, ctx: MessageContext) -> str:
                return f"Hello, {message.name}"


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Greeter.register(runtime, "greeter", Greeter)
            runtime.start()
            answer = await runtime.send_message(Greeting("Ada"), AgentId("greeter", "default"))
            assert answer == "Hello, Ada"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```
    """

    def __init__(
        self,
        *,
        intervention_handlers: list[InterventionHandler] | None = None,
        tracer_provider: TracerProvider | None = None,
        ignore_unhandled_exceptions: bool = True,
    ) -> None:
        tracing = TraceHelper(
            tracer_provider, MessageRuntimeTracingConfig("SingleThreadedAgentRuntime")
        )
        self._dispatcher: Dispatcher[Envelope] = Dispatcher()
        self._routes = Routes()
        self._serialization = SerializationRegistry()
        self._dead_letters = DeadLetters()
        self._agents = AgentTable(self, self._dispatcher)
        self._observer = Observer(self._serialization, tracing, self._dispatcher)
        self._settlement = Settlement(self._dispatcher, self._dead_letters)
        self._inbox = Inbox(
            dispatcher=self._dispatcher,
            routes=self._routes,
            agents=self._agents,
            interception=Interception(intervention_handlers, tracing),
            observer=self._observer,
            settlement=self._settlement,
            raise_unhandled=not ignore_unhandled_exceptions,
        )
        self._deliveries = self._inbox.deliveries
        self._drive = self._make_drive(intervention_handlers)
        self._inbox.drive = self._drive
        self._loop_binding = LoopBinding()

    def _make_drive(self, overseers: Sequence[InterventionHandler] | None) -> Drive | None:
        """Make the short cut by which handlers run inside their sender, unless it is off."""
        # Of a subclass, or of whoever patches the class, a method of another kind is to be called.
        ways = (type(self).send_message, type(self).publish_message)
        if os.environ.get(PLAIN_TASKS) or ways != (_SEND_PLAINLY, _PUBLISH_PLAINLY):
            return None
        drive = Drive(
            dispatcher=self._dispatcher,
            routes=self._routes,
            host=InlineHost(
                send=partial(_SEND_PLAINLY, self),
                publish=partial(_PUBLISH_PLAINLY, self),
                inbox=self._inbox,
                agents=self._agents,
                observer=self._observer,
            ),
            loggers=(ROOT_LOGGER_NAME, EVENT_LOGGER_NAME),
            # The user's own list: a handler that is added to it later counts, too.
            tasks=self._deliveries.kept,
            overseers=overseers if isinstance(overseers, list) else list(overseers or ()),
        )
        self.send_message = drive.send_message  # type: ignore[method-assign]
        self.publish_message = drive.publish_message  # type: ignore[method-assign]
        return drive

    # Messages.

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

        Giving up waiting, by cancellation of the task or of the token, does not stop the handler.

        Args:
            message: The message.
            recipient: The agent to send it to; it is built if it does not exist yet.
            sender: The agent that sends it, or None when it comes from outside.
            cancellation_token: Cancels the waiting; the handler sees it in its context.
            message_id: Names the message in logs and traces; made up when left out.

        Returns:
            What the handler returned.

        Raises:
            TypeError: If the recipient is not an `AgentId`.
            RecipientNotFoundError: If the recipient's type is not registered.
            MailboxFullError: If the recipient's bounded mailbox has no room.
            MessageDroppedException: If an intervention handler dropped the message or the answer.
            RuntimeStoppedError: If the runtime stopped before the message was handled.
            WrongLoopError: If the runtime is busy on another event loop.
            BaseException: Whatever the handler, an intervention handler or the factory raised.
        """
        loop = self._enter_loop()
        if not isinstance(recipient, AgentId):
            raise TypeError(f"a message is sent to an AgentId, not to {recipient!r}")
        self._observer.sent(message, sender, recipient)
        with self._observer.creating(message, recipient):
            if not self._agents.is_registered(recipient.type):
                raise self._recipient_not_found(message, recipient, sender, message_id)
            token = CancellationToken() if cancellation_token is None else cancellation_token
            answer: asyncio.Future[Any] = loop.create_future()
            self._inbox.accept(
                DirectEnvelope(
                    message=message,
                    recipient=recipient,
                    sender=sender,
                    cancellation_token=token,
                    message_id=str(uuid.uuid4()) if message_id is None else message_id,
                    answer=answer,
                    link=self._observer.link(),
                )
            )
            return await token.link_future(answer)

    async def publish_message(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
    ) -> None:
        """Publish a message to every agent that is subscribed to its topic, except the sender.

        Returns as soon as the message is accepted; nobody waits for the handlers.

        Args:
            message: The message.
            topic_id: The topic to publish to.
            sender: The agent that publishes it, or None when it comes from outside.
            cancellation_token: Handlers see it in their context.
            message_id: Names the message in logs and traces; made up when left out.

        Raises:
            TypeError: If the topic is not a `TopicId`.
            RuntimeStoppedError: If the runtime has halted.
            WrongLoopError: If the runtime is busy on another event loop.
        """
        self._enter_loop()
        if not isinstance(topic_id, TopicId):
            raise TypeError(f"a message is published to a TopicId, not to {topic_id!r}")
        with self._observer.creating(message, topic_id):
            self._observer.sent(message, sender, topic_id)
            self._inbox.accept(
                PublishEnvelope(
                    message=message,
                    topic_id=topic_id,
                    sender=sender,
                    cancellation_token=cancellation_token,
                    message_id=message_id,
                    link=self._observer.link(),
                )
            )

    @property
    def unprocessed_messages_count(self) -> int:
        """How many messages and answers wait to be taken or to be handled."""
        return self._dispatcher.waiting

    @property
    def dead_letters(self) -> DeadLetters:
        """The newest messages that could not be delivered. Ferrogen's own; AutoGen has none."""
        return self._dead_letters

    # Running.

    def start(self) -> None:
        """Start to process messages, in a background task of the running event loop.

        Raises:
            RuntimeError: If the runtime is started already, or no event loop is running.
            WrongLoopError: If the runtime is busy on another event loop.
        """
        loop = self._enter_loop()
        if self._inbox.is_started:
            raise RuntimeError("Runtime is already started")
        self._agents.watch_anew(loop)
        self._inbox.start()

    async def process_next(self) -> None:
        """Take one message by hand, waiting for one if there is none, and start its handlers.

        An answer on its way back is a message of its own.

        Raises:
            BaseException: The error of a handler of a published message, unless such errors are
                ignored.
        """
        await self._process_next()

    async def _process_next(self) -> None:
        self._enter_loop()
        await self._inbox.take()

    async def stop(self) -> None:
        """Stop at once. Messages that no handler has seen become dead letters.

        Their senders get a `RuntimeStoppedError`. Handlers that are running go on, and their
        senders get their answers.

        Raises:
            RuntimeError: If the runtime is not started.
            BaseException: The error of a handler of a published message, unless such errors are
                ignored.
        """
        self._require_started()
        await self._inbox.stop()

    async def stop_when_idle(self) -> None:
        """Stop as soon as no message waits and no handler runs.

        Raises:
            RuntimeError: If the runtime is not started, or a handler would wait for itself.
            BaseException: The error of a handler of a published message, unless such errors are
                ignored.
        """
        self._require_started()
        inside = self._drive is not None and self._drive.is_running
        if inside or asyncio.current_task() in self._deliveries.tasks:
            raise RuntimeError(
                "stop_when_idle() inside a handler would wait for that handler; call stop(), or "
                "let a task of its own wait"
            )
        if self._drive is not None:
            self._drive.idle_is_awaited = True
        await self._settlement.idle()
        if self._inbox.is_started:
            await self._inbox.stop()

    async def stop_when(self, condition: Callable[[], bool]) -> None:
        """Stop as soon as a condition holds. It is looked at twenty times a second.

        Args:
            condition: Says whether it is time to stop.

        Raises:
            RuntimeError: If the runtime is not started.
            BaseException: The error of a handler of a published message, unless such errors are
                ignored.
        """
        self._require_started()
        while not condition():  # noqa: ASYNC110 - the condition may be about anything
            await asyncio.sleep(0.05)
        if self._inbox.is_started:
            await self._inbox.stop()

    async def close(self) -> None:
        """Stop, cancel the handlers that still run, and close every agent.

        Messages that no handler has seen become dead letters, as with `stop`. Every agent is
        closed, even if the closing of another one raises.

        Raises:
            BaseException: The first error that an agent's `close` raised.
        """
        self._enter_loop()
        errors: list[BaseException] = []
        try:
            await self._inbox.stop()
        except Exception as error:  # noqa: BLE001 - raised below, if it is the first
            errors.append(error)
        self._agents.unwatch_all()
        await self._deliveries.cancel()
        for _, agent in self._dispatcher.instances():
            try:
                await agent.close()
            except Exception as error:  # noqa: BLE001, PERF203 - raised below, if it is the first
                errors.append(error)
        if errors:
            raise errors[0]

    def _require_started(self) -> None:
        self._enter_loop()
        if not self._inbox.is_started:
            raise RuntimeError("Runtime is not started")

    def _enter_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop_binding.enter(busy=self._inbox.is_started or bool(self._deliveries.kept))

    # Agents.

    async def register_factory(
        self,
        type: str | AgentType,
        agent_factory: Callable[[], T | Awaitable[T]],
        *,
        expected_class: type[T] | None = None,
    ) -> AgentType:
        """Register how the agents of a type are made.

        Args:
            type: The agent type.
            agent_factory: Makes one agent, whose id is in `AgentInstantiationContext` meanwhile.
            expected_class: What the factory is expected to make.

        Returns:
            The agent type.

        Raises:
            ValueError: If the type is registered already, or has characters it may not have.
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
        """Set how much each agent of a type takes on. Ferrogen's own; see `AgentOptions`.

        Args:
            agent_type: The agent type; it may be registered before or after.
            options: The options, in place of any set before.
        """
        name = agent_type if isinstance(agent_type, str) else agent_type.type
        self._agents.set_options(name, options)

    async def try_get_underlying_agent_instance(
        self,
        id: AgentId,
        type: type[T] = Agent,  # type: ignore[assignment]
    ) -> T:
        """Return the agent itself, making it if need be.

        Args:
            id: Which agent.
            type: What class it is expected to have.

        Raises:
            AgentNotFoundError: If nothing is registered under its type.
            TypeError: If it has another class.
        """
        if not self._agents.is_registered(id.type):
            raise not_registered(id)
        agent = await self._obtain(id)
        if not isinstance(agent, type):
            raise TypeError(
                f"Agent with name {id.type} is not of type {type.__name__}. "
                f"It is of type {_type(agent).__name__}"
            )
        return agent

    @overload
    async def get(self, id: AgentId, /, *, lazy: bool = ...) -> AgentId: ...
    @overload
    async def get(
        self, type: AgentType | str, /, key: str = ..., *, lazy: bool = ...
    ) -> AgentId: ...
    async def get(
        self, id_or_type: AgentId | AgentType | str, /, key: str = "default", *, lazy: bool = True
    ) -> AgentId:
        """Return the id of an agent.

        Args:
            id_or_type: The id itself, or the agent type.
            key: The agent key, if the type is given.
            lazy: Whether the agent may be made later, by its first message.

        Raises:
            AgentNotFoundError: If it is to be made and nothing is registered under its type.
        """
        agent_id = id_or_type if isinstance(id_or_type, AgentId) else AgentId(id_or_type, key)
        if not lazy:
            await self._obtain(agent_id)
        return agent_id

    async def agent_metadata(self, agent: AgentId) -> AgentMetadata:
        """Return what an agent says of itself, making it if need be."""
        return (await self._obtain(agent)).metadata

    async def _obtain(self, agent_id: AgentId) -> Agent:
        self._enter_loop()
        return await self._deliveries.obtain(agent_id)

    def _recipient_not_found(
        self, message: Any, recipient: AgentId, sender: AgentId | None, message_id: str | None
    ) -> RecipientNotFoundError:
        reason = RecipientNotFoundError(
            f'Recipient not found: agent type "{recipient.type}" is not registered'
        )
        self._dead_letters.add(
            DeadLetter(
                message=message,
                sender=sender,
                receiver=recipient,
                message_id=message_id,
                reason=reason,
            )
        )
        return reason

    # State.

    async def save_state(self) -> Mapping[str, Any]:
        """Return the state of every agent that is there, under its id.

        The mapping can be written as JSON if the agents' states can.
        """
        return await save_state(self._dispatcher.instances())

    async def load_state(self, state: Mapping[str, Any]) -> None:
        """Give every agent its state back, making those that are not there yet.

        Raises:
            StateError: If the state has an unknown version, a wrong shape, or an agent whose type
                is not registered. No agent has been changed then.
        """
        await load_state(state, is_registered=self._agents.is_registered, obtain=self._obtain)

    async def agent_save_state(self, agent: AgentId) -> Mapping[str, Any]:
        """Return the state of one agent, making it if need be."""
        return await (await self._obtain(agent)).save_state()

    async def agent_load_state(self, agent: AgentId, state: Mapping[str, Any]) -> None:
        """Give one agent a state, making it if need be."""
        await (await self._obtain(agent)).load_state(state)

    # Subscriptions and serializers.

    async def add_subscription(self, subscription: Subscription) -> None:
        """Add a subscription; it counts for messages that are taken from now on.

        Raises:
            ValueError: If an equal subscription is there.
        """
        self._routes.add(subscription)

    async def remove_subscription(self, id: str) -> None:
        """Remove a subscription.

        Raises:
            ValueError: If there is none with this id.
        """
        self._routes.remove(id)

    def add_message_serializer(
        self, serializer: MessageSerializer[Any] | Sequence[MessageSerializer[Any]]
    ) -> None:
        """Add one or more serializers, which events and spans show messages with."""
        self._serialization.add_serializer(serializer)


_SEND_PLAINLY = SingleThreadedAgentRuntime.send_message
_PUBLISH_PLAINLY = SingleThreadedAgentRuntime.publish_message
