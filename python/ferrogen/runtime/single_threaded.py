"""AutoGen's `SingleThreadedAgentRuntime`, with a Rust core."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.trace import TracerProvider

from ferrogen._core import AgentId, CancellationToken, Engine, Routes
from ferrogen.agents.option_checks import check_count
from ferrogen.agents.retry_policy import RetryPolicy
from ferrogen.agents.routed import RoutedAgent
from ferrogen.agents.signatures import is_coroutine_function
from ferrogen.messaging.intervention import InterventionHandler
from ferrogen.messaging.message_context import MessageContext
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.calls.calls import Calls
from ferrogen.runtime.calls.steering import Inboxes, Steering
from ferrogen.runtime.dead_letters.recorder import DeadLetterPublisher, DeadLetterRecorder
from ferrogen.runtime.dead_letters.store import DeadLetters, Replayer
from ferrogen.runtime.failures.guards import Guards
from ferrogen.runtime.failures.supervisor import Supervisor
from ferrogen.runtime.host import EngineHost
from ferrogen.runtime.instances.agent_access import AgentAccess
from ferrogen.runtime.instances.agent_states import AgentStates, checked_store
from ferrogen.runtime.instances.agent_table import AgentTable
from ferrogen.runtime.instances.building import Builder
from ferrogen.runtime.instances.passivation import Passivator
from ferrogen.runtime.introspection.introspection import Introspection
from ferrogen.runtime.introspection.stats_server import STATS, serve_by_environment
from ferrogen.runtime.lifecycle.lifecycle import Lifecycle
from ferrogen.runtime.lifecycle.lifetime import Lifetime
from ferrogen.runtime.observer import Observer
from ferrogen.runtime.registration import Registration
from ferrogen.runtime.schedules.schedule import Scheduler
from ferrogen.serialization.registry import SerializationRegistry
from ferrogen.state.store import StateStore
from ferrogen.telemetry.names import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME
from ferrogen.telemetry.tracing import TraceHelper
from ferrogen.telemetry.tracing_config import MessageRuntimeTracingConfig

if TYPE_CHECKING:
    from ferrogen.tools.guarding.guard import Guard

__all__ = ["SingleThreadedAgentRuntime"]

PLAIN_TASKS = "FERROGEN_PLAIN_TASKS"
"""The environment variable that enables task mode for all runtimes."""


class SingleThreadedAgentRuntime(
    Registration, AgentAccess, Calls, Lifetime, Introspection, Steering
):
    """Runs agents on one event loop: messages are taken in order, handlers run concurrently.

    Args:
        intervention_handlers: Revise every message and response, in this order; each gets the
            result of the one before.
        tracer_provider: Where spans go; by default OpenTelemetry's global provider. The
            environment variable `AUTOGEN_DISABLE_RUNTIME_TRACING=true` disables spans.
        ignore_unhandled_exceptions: Whether an error in the handler of a *published* message is
            only logged. If not, it halts the runtime and is raised by the next `process_next`,
            `stop`, `stop_when_idle` or `stop_when`. An error in the handler of a message that was
            *sent* goes to its sender in any case.
        task_mode: Whether each handler runs in its own `asyncio.Task` from the start, for
            debugging. By default handlers run inline until they suspend. The environment
            variable `FERROGEN_PLAIN_TASKS=1` enables it for all runtimes.
        dead_letter_capacity: How many dead letters are kept; older ones are only counted.
        publish_dead_letters: Whether dead letters are published to `DEAD_LETTER_TOPIC`. By default
            they are only stored: an agent that is subscribed to every topic would get them, too.
        max_hops: How many messages a chain has at most, in which each is sent by the handler of the
            one before. None for no limit.
        state_store: Where the state of agents is kept that are passivated or closed; see
            `StateStore`. Without one it is lost.
        stats: Whether `stats` has waiting and handling times ("full"), or counts only ("counts"),
            which is a little cheaper for each message.
        tool_guard: A `ferrogen.tools.Guard` that every call of a tool in a handler passes.

    Raises:
        ValueError: `state_store` is not a `StateStore`, or `dead_letter_capacity` or `max_hops` is
            less than 1.

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
            response = await runtime.send_message(Greeting("Ada"), AgentId("greeter", "default"))
            assert response == "Hello, Ada"
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
        task_mode: bool | None = None,
        dead_letter_capacity: int = 100,
        publish_dead_letters: bool = False,
        max_hops: int | None = None,
        state_store: StateStore | None = None,
        stats: Literal["full", "counts"] = "full",
        tool_guard: Guard | None = None,
    ) -> None:
        if max_hops is not None:
            check_count("max_hops", max_hops)
        if stats not in ("full", "counts"):
            raise ValueError(f'stats must be "full" or "counts"; got {stats!r}')
        tracing = TraceHelper(
            tracer_provider, MessageRuntimeTracingConfig("SingleThreadedAgentRuntime")
        )
        kept: set[asyncio.Task[None]] = set()
        self._kept = kept
        self._routes = Routes()
        self._serialization = SerializationRegistry()
        self._dead_letters = DeadLetters(dead_letter_capacity)
        self._dead_letters.send_again = Replayer(self, self._routes)
        recorder = DeadLetterRecorder(self._dead_letters)
        self._agents = AgentTable(self)
        observer = Observer(self._serialization, tracing)
        self._lifecycle = Lifecycle(observer, kept, raise_unhandled=not ignore_unhandled_exceptions)
        self._lifecycle.tool_guard = tool_guard
        self._scheduler = Scheduler(lambda: observer.runtime_context)
        self._lifecycle.end_callbacks.append(self._scheduler.cancel_all)
        self._states = AgentStates(checked_store(state_store), self._agents.is_registered)
        supervisor = Supervisor(
            self._agents, self._lifecycle.halt, lambda: observer.runtime_context, kept, self._states
        )
        self._supervisor = supervisor
        self._passivator = Passivator(
            self._agents,
            self._states,
            supervisor,
            lambda: observer.runtime_context,
            lambda: self._lifecycle.is_closed,
        )
        self._guards = Guards(self._agents.options, recorder.failed, supervisor)
        self._agents.guards = self._guards
        self._builder = Builder(self._agents, observer, kept, supervisor, self._states)
        self._builder.passivator = self._passivator
        self._passivator.rebuild = self._builder.start
        # The caller's list itself: a handler that is added to it later is used too.
        given: Sequence[InterventionHandler] = ()
        if intervention_handlers is not None:
            given = intervention_handlers
        interceptors = given if isinstance(given, list) else list(given)
        self._host = EngineHost(
            agents=self._agents,
            builder=self._builder,
            passivator=self._passivator,
            lifecycle=self._lifecycle,
            observer=observer,
            dead_letters=recorder,
            guards=self._guards,
        )
        self._engine = Engine(
            host=self._host,
            routes=self._routes,
            loggers=(ROOT_LOGGER_NAME, EVENT_LOGGER_NAME),
            interceptors=interceptors,
            kept=kept,
            task_mode=bool(os.environ.get(PLAIN_TASKS)) if task_mode is None else task_mode,
            max_hops=max_hops,
            timed=stats == "full",
        )
        self._guards.count_retry = self._engine.count_retry
        self._guards.note_rejection = self._engine.note_rejection
        supervisor.count_restart = self._engine.count_restart
        self._agents.engine = self._engine
        self._builder.engine = self._passivator.engine = self._engine
        self._lifecycle.engine = self._engine
        self._inboxes = self._lifecycle.inboxes = Inboxes(self._engine)
        if publish_dead_letters:
            self._dead_letters.notify = DeadLetterPublisher(self._routes, self._engine)
        observer.find_agent = self._instance
        # For messages that are accepted before the runtime is started.
        observer.is_traced = self._engine.is_traced = tracing.is_recording()
        # Calls skip a Python function, unless a subclass or a patch has replaced it.
        methods = (type(self).send_message, type(self).publish_message)
        if methods == (_SEND_MESSAGE, _PUBLISH_MESSAGE):
            self.send_message = self._engine.send_message  # type: ignore[method-assign]
            self.publish_message = self._engine.publish_message  # type: ignore[method-assign]

    # Messages.

    @is_coroutine_function
    def send_message(
        self,
        message: Any,
        recipient: AgentId,
        *,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
        priority: int = 0,
        fairness_key: str | None = None,
        timeout: float | None = None,
        delay: float | None = None,
        retry: RetryPolicy | None = None,
        max_hops: int | None = None,
    ) -> Coroutine[Any, Any, Any]:
        """Send a message to one agent; await the result to get its response.

        The handler continues if the task of the sender or the token is cancelled.

        Args:
            message: The message.
            recipient: The agent to send it to; it is built if it does not exist yet.
            sender: The agent that sends it, or None from outside.
            cancellation_token: Cancels the waiting; the handler has it in its context.
            message_id: Names the message in logs and traces; generated if left out.
            priority: From -2 (lowest) to 2 (highest), among the messages that are queued; see
                `Priority`.
            fairness_key: Queued messages of one priority with different keys take turns.
            timeout: After how many seconds the message expires: in a queue it is dropped, and a
                handler that runs is cancelled. What the handler sends inherits the deadline.
            delay: How many seconds later the message is queued. It is accepted now: the runtime is
                not idle before it is handled.
            retry: How the handler is called again if it fails, in place of the policy of its type.
            max_hops: How many messages its chain has at most, from this one on.

        Returns:
            The return value of the handler.

        Raises:
            TypeError: The recipient is not an `AgentId`.
            RecipientNotFoundError: The recipient's type is not registered.
            MailboxFullError: The recipient's bounded mailbox is full.
            DeadlineExceededError: The message was not handled in time.
            HopLimitError: Too many messages led to this one.
            DeadlockError: The recipient waits, directly or through others, for this message.
            MessageDroppedException: An intervention handler dropped the message or the response.
            RuntimeStoppedError: The runtime stopped before the message was handled, or is closed.
            WrongLoopError: The runtime runs on another event loop.
            BaseException: Whatever the handler, an intervention handler or the factory raised.
        """
        return self._engine.send_message(
            message,
            recipient,
            sender=sender,
            cancellation_token=cancellation_token,
            message_id=message_id,
            priority=priority,
            fairness_key=fairness_key,
            timeout=timeout,
            delay=delay,
            retry=retry,
            max_hops=max_hops,
        )

    @is_coroutine_function
    def publish_message(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
        priority: int = 0,
        fairness_key: str | None = None,
        timeout: float | None = None,
        delay: float | None = None,
        retry: RetryPolicy | None = None,
        max_hops: int | None = None,
    ) -> Coroutine[Any, Any, None]:
        """Publish a message to every agent that is subscribed to its topic, except the sender.

        The returned awaitable ends as soon as the message is accepted; it does not wait for the
        handlers.

        Args:
            message: The message.
            topic_id: The topic to publish to.
            sender: The agent that publishes it, or None from outside.
            cancellation_token: Handlers have it in their context.
            message_id: Names the message in logs and traces; generated if left out.
            priority: From -2 (lowest) to 2 (highest), among the messages that are queued; see
                `Priority`.
            fairness_key: Queued messages of one priority with different keys take turns.
            timeout: After how many seconds the message expires: in a queue it is dropped, and a
                handler that runs is cancelled. What the handler sends inherits the deadline.
            delay: How many seconds later the message is queued.
            retry: How handlers are called again that fail, in place of the policies of their types.
            max_hops: How many messages its chain has at most, from this one on.

        Raises:
            TypeError: The topic is not a `TopicId`.
            HopLimitError: Too many messages led to this one.
            RuntimeStoppedError: The runtime is closed or has halted.
            WrongLoopError: The runtime runs on another event loop.
        """
        return self._engine.publish_message(
            message,
            topic_id,
            sender=sender,
            cancellation_token=cancellation_token,
            message_id=message_id,
            priority=priority,
            fairness_key=fairness_key,
            timeout=timeout,
            delay=delay,
            retry=retry,
            max_hops=max_hops,
        )

    @property
    def unprocessed_messages_count(self) -> int:
        """How many messages and responses are queued."""
        return self._engine.waiting

    def _report_unhandled(self, agent: RoutedAgent, message: Any, ctx: MessageContext) -> None:
        self._host.unhandled_message(agent, message, ctx)

    @property
    def dead_letters(self) -> DeadLetters:
        """The newest messages that were not handled. Not part of AutoGen's API."""
        return self._dead_letters

    @property
    def state_store(self) -> StateStore | None:
        """Where the state of agents is kept that are not in memory. Not part of AutoGen's API."""
        return self._states.store

    # Running.

    def start(self) -> None:
        """Start to process messages, in a background task of the running event loop.

        Raises:
            RuntimeError: If the runtime is started already, or no event loop is running.
            WrongLoopError: If the runtime is busy on another event loop.
        """
        self._lifecycle.start()
        where = os.environ.get(STATS)
        if where:
            serve_by_environment(self.serve_stats, where)

    async def process_next(self) -> None:
        """Process one message manually, waiting for one if there is none, and start its handlers.

        A pending response counts as a message.

        Raises:
            BaseException: The error of a handler of a published message, unless such errors are
                ignored.
            RuntimeStoppedError: The runtime is closed, or is closed while the call waits.
        """
        await self._process_next()

    async def _process_next(self) -> None:
        await self._lifecycle.process_next()

    async def close(self) -> None:
        """Stop, cancel the handlers that still run, and close every agent.

        With a `state_store`, the state of each agent is saved before. Messages that no handler has
        started become dead letters, as with `stop`, and new ones are rejected. Every agent is
        closed, even if closing another one raises.

        Raises:
            StateStoreError: The state of an agent could not be saved. Every agent is closed.
            BaseException: The first error that an agent's `close` raised.
        """
        self._lifecycle.enter_loop()
        halted = await self._lifecycle.close()
        errors: list[BaseException] = [] if halted is None else [halted]
        await self._end_tasks()
        # Handlers that were cancelled may have sent messages. No agent is passivated from here on.
        self._engine.shut()
        closed: set[AgentId] = set()
        while agents := {one: agent for one, agent in self._instances() if one not in closed}:
            for agent_id, agent in agents.items():
                errors.extend(await self._passivator.end(agent_id, agent))
            closed |= agents.keys()
            # Others may have been asked for meanwhile.
            await self._end_tasks()
        if errors:
            raise errors[0]

    async def _end_tasks(self) -> None:
        """Cancel handlers, factories and restarts, and wait for agents that are being closed."""
        closing = asyncio.current_task()

        def others() -> set[asyncio.Task[None]]:
            return {one for one in self._kept if not one.done() and one is not closing}

        # Each can begin another: a handler that fails while it is cancelled restarts its agent,
        # and an agent for which messages wait is built as soon as it is saved.
        while True:
            for task in (running := others()):
                task.cancel()
            if running:
                await asyncio.wait(running)
            await self._passivator.finish()
            await self._supervisor.finish()
            if not others():
                break
        await self._builder.discard()


_SEND_MESSAGE = SingleThreadedAgentRuntime.send_message
_PUBLISH_MESSAGE = SingleThreadedAgentRuntime.publish_message
