"""The inbox: accepted messages are taken one after the other and sent on their way.

A background task takes them once the runtime is started; before that, `take` does by hand.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar
from weakref import WeakSet

from ferrogen._core import AgentId, Dispatcher, Drive, Routes
from ferrogen._telemetry.loggers import ROOT_LOGGER_NAME
from ferrogen.exceptions import MailboxFullError, MessageDroppedException, RuntimeStoppedError

from .agent_table import AgentTable, not_registered
from .deliveries import Deliveries
from .envelope import AnswerEnvelope, DirectEnvelope, Envelope, PublishEnvelope
from .interception import Interception
from .observer import Observer
from .settlement import Settlement
from .telling import tell

__all__ = ["Inbox"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)

_Recipients = TypeVar("_Recipients", None, list[AgentId] | None)


class Inbox:
    """Takes messages in the order of their acceptance and admits them to their recipients.

    Args:
        dispatcher: Holds the messages.
        routes: Says who hears a topic.
        agents: Knows which types are registered.
        interception: The user's intervention handlers.
        observer: Is told what happens.
        settlement: Ends messages.
        raise_unhandled: Whether an error that no sender waits for halts the runtime, to be raised
            where the runtime is awaited next.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher[Envelope],
        routes: Routes,
        agents: AgentTable,
        interception: Interception,
        observer: Observer,
        settlement: Settlement,
        raise_unhandled: bool,
    ) -> None:
        self._dispatcher = dispatcher
        self._routes = routes
        self._agents = agents
        self._interception = interception
        self._observer = observer
        self._settlement = settlement
        self._raise_unhandled = raise_unhandled
        self.deliveries = Deliveries(
            dispatcher=dispatcher,
            agents=agents,
            settlement=settlement,
            observer=observer,
            on_answer=self._send_back,
            on_unhandled=self._unhandled,
        )
        # Those who wait for a message. An asyncio.Event would tie the inbox to one event loop.
        self._takers: set[asyncio.Future[None]] = set()
        self._reader: asyncio.Task[None] | None = None
        self._is_stopping = False
        self._error: BaseException | None = None
        self.drive: Drive | None = None
        """The short cut past the inbox, if there is one; open while the inbox is read."""
        # Handlers that outlived a stop: their answers go straight back.
        self._left_running: WeakSet[asyncio.Task[None]] = WeakSet()

    @property
    def is_started(self) -> bool:
        """Whether there is a background task that takes messages."""
        return self._reader is not None

    def accept(self, envelope: Envelope) -> None:
        """Accept a message.

        Raises:
            RuntimeStoppedError: If the background task has ended, so that nobody would ever take
                the message.
        """
        if self._reader is not None and self._reader.done():
            raise RuntimeStoppedError(
                "the runtime has halted; stop it, and start it again to go on"
            ) from self._error
        self._dispatcher.accept(envelope)
        self.wake()

    def notice(self) -> None:
        """Wake those who wait for idleness, if it has come about."""
        self._settlement.notice()

    async def take(self) -> None:
        """Take the next message by hand, waiting for one if there is none.

        Raises:
            BaseException: An error of a handler that no sender waits for, if such errors are
                to be raised.
        """
        if self._reader is None:
            self.deliveries.context = copy_context()
        if not await self._take(lambda: True):
            self._raise_error()

    def start(self) -> None:
        """Start the background task that takes messages."""
        self.deliveries.context = copy_context()
        loop = asyncio.get_running_loop()
        self._reader = loop.create_task(self._read())
        self._observer.was_tracing = self._observer.is_tracing
        if self.drive is not None:
            self.drive.open(loop, is_traced=self._observer.was_tracing)

    async def stop(self) -> None:
        """Stop taking messages. What nobody has begun to handle is answered with an error.

        Handlers that are running go on, and their senders get their answers.

        Raises:
            BaseException: An error of a handler that no sender waits for, if such errors are
                to be raised.
        """
        reader = self._reader
        self._is_stopping = True
        self._shut()
        if reader is not None and reader is not asyncio.current_task():
            self.wake()
            await asyncio.wait([reader])
        if self._reader is not reader:
            return  # another stop(), called meanwhile, has seen to the rest
        self._reader = None
        self._is_stopping = False
        self._left_running.update(self.deliveries.tasks)
        self._discard("the runtime was stopped before the message was handled")
        self._raise_error()

    async def _read(self) -> None:
        # An eager task factory steps this before `start` has noted the task.
        await asyncio.sleep(0)
        this_task = asyncio.current_task()
        try:
            while await self._take(lambda: self._reader is this_task and not self._is_stopping):
                pass
            # What was admitted beside the message that failed is on its way after one turn.
            await asyncio.sleep(0)
        finally:
            if self._reader is this_task and not self._is_stopping:
                self._shut()
                self._discard("the runtime halted before the message was handled")

    async def _take(self, goes_on: Callable[[], bool]) -> bool:
        """Take one message; `False` if there is an error to raise instead, or it is time to go."""
        while self._error is None and goes_on():
            taken = None if self._is_for_the_drive() else self._dispatcher.take()
            if taken is None:
                await self._wait()
                continue
            ticket, envelope = taken
            if not self._interception or await self._revise(ticket, envelope):
                self._admit(ticket, envelope)
            # Give the handlers that were just started, and everybody else, a turn.
            await asyncio.sleep(0)
            return True
        return False

    def _is_for_the_drive(self) -> bool:
        """Whether the next message was published, and the short cut will hand it out."""
        if self.drive is None or asyncio.current_task() is not self._reader:
            return False
        return self.drive.will_hand_out()

    async def _wait(self) -> None:
        taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._takers.add(taker)
        try:
            await taker
        finally:
            self._takers.discard(taker)

    def wake(self) -> None:
        """Let whoever waits for a message look again."""
        for taker in self._takers:
            if not taker.done():
                taker.set_result(None)

    async def _revise(self, ticket: int, envelope: Envelope) -> bool:
        try:
            goes_on = await self._interception.revise(envelope)
        except BaseException as error:
            if isinstance(envelope, PublishEnvelope):
                text = "an intervention handler raised on a published message"
                tell(_logger, logging.ERROR, text, exc_info=error)
            self._settlement.failed(ticket, envelope, error)
            if _is_for_this_task(error):
                raise
            return False
        if not goes_on:
            self._observer.dropped(envelope)
            reason = MessageDroppedException("an intervention handler dropped the message")
            self._settlement.dropped(ticket, envelope, reason)
        return goes_on

    def _admit(self, ticket: int, envelope: Envelope) -> None:
        match envelope:
            case DirectEnvelope():
                self._place(ticket, envelope, [envelope.recipient])
            case PublishEnvelope():
                if self._observer.is_tracing:
                    self._inside_span(envelope, self.publish, ticket)
                else:
                    self.publish(ticket, envelope)
            case AnswerEnvelope():
                with self._observer.answering(envelope):
                    self._settlement.answered(ticket, envelope)

    def publish(self, ticket: int, envelope: PublishEnvelope) -> None:
        """Give a published message, which was taken, to all who hear its topic."""
        recipients = self._recipients(ticket, envelope)
        if recipients is not None:
            self.admit(ticket, envelope, recipients)

    def route(self, ticket: int, envelope: PublishEnvelope) -> list[AgentId] | None:
        """Find who hears a published message, which was taken, for the short cut to give it to.

        Returns:
            The recipients, if all of them are there. Else the message has been given to them.
        """
        if not self._observer.was_tracing:
            return self._route(ticket, envelope)
        context = self.deliveries.context.copy()
        return context.run(self._inside_span, envelope, self._route, ticket)

    def _inside_span(
        self,
        envelope: PublishEnvelope,
        give: Callable[[int, PublishEnvelope], _Recipients],
        ticket: int,
    ) -> _Recipients:
        with self._observer.publishing(envelope):
            envelope.context = copy_context()
            return give(ticket, envelope)

    def _route(self, ticket: int, envelope: PublishEnvelope) -> list[AgentId] | None:
        recipients = self._recipients(ticket, envelope)
        if recipients is None or self._are_there(recipients):
            return recipients
        self.admit(ticket, envelope, recipients)
        return None

    def _are_there(self, agent_ids: list[AgentId]) -> bool:
        return all(self._dispatcher.instance(agent_id) is not None for agent_id in agent_ids)

    def _recipients(self, ticket: int, envelope: PublishEnvelope) -> list[AgentId] | None:
        """Name who hears a message, if that can be found out; if not, it has been settled."""
        try:
            heard = self._routes.recipients(envelope.topic_id)
            return [agent_id for agent_id in heard if agent_id != envelope.sender]
        except Exception as error:  # noqa: BLE001 - from a custom subscription or a sender of its own kind
            text = "no recipients could be found for topic %s"
            tell(_logger, logging.ERROR, text, envelope.topic_id, exc_info=error)
            self._settlement.failed(ticket, envelope, error)
            self._unhandled(error)
            return None

    def admit(self, ticket: int, envelope: PublishEnvelope, recipients: list[AgentId]) -> None:
        """Give a published message, which was taken, to these agents."""
        registered = [one for one in recipients if self._agents.is_registered(one.type)]
        # These first: an error may halt the runtime, and the others are to be on their way by then.
        self._place(ticket, envelope, registered)
        for agent_id in recipients:
            if not self._agents.is_registered(agent_id.type):
                self._unreachable(agent_id, envelope)

    def _unreachable(self, agent_id: AgentId, envelope: PublishEnvelope) -> None:
        error = not_registered(agent_id)
        text = "topic %s has a subscriber that is not there: %s"
        tell(_logger, logging.ERROR, text, envelope.topic_id, error)
        self._settlement.keep(envelope, agent_id, error)
        self._unhandled(error)

    def _place(
        self, ticket: int, envelope: DirectEnvelope | PublishEnvelope, recipients: list[AgentId]
    ) -> None:
        for refused_ticket, refused in self._dispatcher.admit(ticket, envelope, recipients):
            reason = MailboxFullError("the mailbox of the recipient is full")
            self._settlement.undeliverable(refused_ticket, refused, reason)
        self._settlement.notice()
        self.deliveries.carry_out()

    async def _send_back(self, agent_id: AgentId, ticket: int, answer: AnswerEnvelope) -> None:
        if asyncio.current_task() not in self._left_running:
            self._dispatcher.answer(agent_id, ticket, answer)
            self.wake()
            self.deliveries.after_handler(agent_id)
            return
        self._dispatcher.release(agent_id, ticket)
        self.deliveries.after_handler(agent_id)
        if not self._interception or await self._revise(ticket, answer):
            self._admit(ticket, answer)

    def _unhandled(self, error: BaseException) -> None:
        if self._raise_unhandled and self._error is None:
            self._error = error
            self._shut()
            self.wake()

    def _shut(self) -> None:
        if self.drive is not None:
            self.drive.shut()

    def _raise_error(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _discard(self, reason: str) -> None:
        for ticket, envelope in self._dispatcher.drain():
            self._settlement.undeliverable(ticket, envelope, RuntimeStoppedError(reason))


def _is_for_this_task(error: BaseException) -> bool:
    """Whether an error is to end the task it is raised in, and not only the message at hand."""
    if isinstance(error, asyncio.CancelledError):
        # Code that a message called may raise it too, without anybody having cancelled this task.
        # Python 3.10 cannot tell.
        cancelling = getattr(asyncio.current_task(), "cancelling", None)
        return cancelling is None or cancelling() > 0
    return isinstance(error, (KeyboardInterrupt, SystemExit))
