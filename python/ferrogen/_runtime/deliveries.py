"""Deliveries: handlers and factories run here, each in a plain asyncio.Task of its own."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from ferrogen._agents.agent import Agent
from ferrogen._core import AgentId, Delivery, Dispatcher, Outcome
from ferrogen._messaging.handler_context import MessageHandlerContext
from ferrogen.logging import DeliveryStage

from .agent_table import AgentTable, not_registered
from .envelope import AnswerEnvelope, DirectEnvelope, Envelope, MessageEnvelope, PublishEnvelope
from .observer import Observer
from .settlement import Settlement, fail

__all__ = ["Deliveries"]


class Deliveries:
    """Carries out what the dispatcher says is due, and reports what came of it.

    Args:
        dispatcher: Says what is due.
        agents: Makes agents.
        settlement: Ends messages.
        observer: Is told what happens.
        on_answer: Takes the answer of a handler on its way back. Given the ticket, the agent and
            the answer, it reports to the dispatcher.
        on_unhandled: Is given an error of a published message's handler, for which nobody waits.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher[Envelope],
        agents: AgentTable,
        settlement: Settlement,
        observer: Observer,
        on_answer: Callable[[AgentId, int, AnswerEnvelope], Coroutine[Any, Any, None]],
        on_unhandled: Callable[[BaseException], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._agents = agents
        self._settlement = settlement
        self._observer = observer
        self._on_answer = on_answer
        self._on_unhandled = on_unhandled
        self.kept: set[asyncio.Task[None]] = set()
        """The tasks in which a handler or a factory is running: asyncio keeps only weak references.

        The short cut adds the handlers that wait in it.
        """
        self._builds: dict[AgentId, asyncio.Future[Agent]] = {}
        # What factories returned that wait, for builds that are still to be asked for.
        self._begun_builds: dict[AgentId, Any] = {}
        # The deliveries whose handlers have not ended, and whether they have begun.
        self._begun: dict[Delivery[Envelope], bool] = {}
        self.context: Context = copy_context()
        """Handlers run in copies of this, so that none sees what another has set."""

    @property
    def tasks(self) -> frozenset[asyncio.Task[None]]:
        """The tasks in which a handler or a factory is running, as they are now."""
        return frozenset(self.kept)

    def carry_out(self) -> None:
        """Start everything that is due."""
        while (step := self._dispatcher.step()) is not None:
            if isinstance(step, Delivery):
                self._start_delivery(step)
            else:
                _ = self._start_build(step, self.context)  # the messages wait for it

    async def obtain(self, agent_id: AgentId) -> Agent:
        """Return an agent, making it first if it is not there yet.

        Raises:
            AgentNotFoundError: If nothing is registered under its type.
            BaseException: Whatever its factory raises.
        """
        agent = self._dispatcher.instance(agent_id)
        if agent is not None:
            return agent
        if not self._agents.is_registered(agent_id.type):
            raise not_registered(agent_id)
        build = self._builds.get(agent_id)
        if build is None:
            self._dispatcher.build(agent_id)
            build = self._start_build(agent_id, copy_context())
        # Others may wait for the same build, so giving up waiting must not end it.
        return await asyncio.shield(build)

    def build_at_once(self, agent_id: AgentId) -> bool:
        """Make an agent that is not there, here and now, if its factory does not wait.

        What a factory that waits has returned is kept for the build that the message will ask for
        on the plain way, so that the sender hears how it went.

        Returns:
            Whether the agent is there.

        Raises:
            BaseException: Whatever its factory raises.
        """
        if not self._agents.is_registered(agent_id.type) or agent_id in self._begun_builds:
            return False
        self._dispatcher.build(agent_id)
        try:
            made = self.context.copy().run(self._agents.begin, agent_id)
            agent = None if inspect.isawaitable(made) else self._agents.approve(agent_id, made)
        except BaseException as error:
            self._agents.complain(agent_id, error)
            self._fail_waiting(agent_id, error)
            raise
        if agent is None:
            self._dispatcher.build_failed(agent_id)  # no message was placed since it began
            self._begun_builds[agent_id] = made
            return False
        self._enter(agent_id, agent)
        return True

    def finish(self, agent_id: AgentId, ticket: int, outcome: Outcome) -> None:
        """Report that a handler ended, and start what waited for it."""
        self._dispatcher.finish(agent_id, ticket, outcome)
        self.after_handler(agent_id)

    def publish_failed(
        self, agent_id: AgentId, ticket: int, envelope: PublishEnvelope, error: BaseException
    ) -> None:
        """Report that a handler of a published message ended with an error.

        Raises:
            BaseException: That error, if it is to end the program.
        """
        self._observer.failed(agent_id, envelope.message, error, direct=False)
        self._on_unhandled(error)
        self.finish(agent_id, ticket, Outcome.FAILED)
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise error

    def after_handler(self, agent_id: AgentId) -> None:
        """Do what is due once the dispatcher knows that a handler ended."""
        if self._agents.is_watched(agent_id):
            self._agents.watch(agent_id, asyncio.get_running_loop())
        self._settlement.notice()
        self.carry_out()

    def adopt(self, task: asyncio.Task[None]) -> None:
        """Keep a task in which a handler is running until it is done."""
        task.add_done_callback(self.kept.discard)
        self.kept.add(task)

    async def cancel(self) -> None:
        """Cancel every handler and factory but the one that calls this, and wait for their end."""
        for begun in self._begun_builds.values():
            if inspect.iscoroutine(begun):
                begun.close()
        self._begun_builds.clear()
        others = self.kept - {asyncio.current_task()}
        for task in others:
            task.cancel()
        if others:
            await asyncio.wait(others)

    def _start(
        self,
        work: Coroutine[Any, Any, None],
        context: Context,
        on_end: Callable[[asyncio.Task[None]], None],
    ) -> None:
        loop = asyncio.get_running_loop()
        task: asyncio.Task[None] = context.copy().run(loop.create_task, work)
        self.adopt(task)
        task.add_done_callback(on_end)

    def _start_delivery(self, delivery: Delivery[Envelope]) -> None:
        context = getattr(delivery.payload, "context", None)
        self._begun[delivery] = False
        self._start(
            self._deliver(delivery),
            self.context if context is None else context,
            partial(self._ensure_settled, delivery),
        )

    def _ensure_settled(self, delivery: Delivery[Envelope], task: asyncio.Task[None]) -> None:
        """Settle a delivery whose task could not: it was cancelled before its first step, say."""
        begun = self._begun.pop(delivery, None)
        if begun is None:
            return
        if not begun:
            self._dispatcher.begun()
        error = error_of(task)
        self._settlement.refuse(delivery.payload, error)
        if isinstance(delivery.payload, PublishEnvelope):
            self._on_unhandled(error)
        self.finish(delivery.agent_id, delivery.ticket, Outcome.FAILED)

    def _start_build(self, agent_id: AgentId, context: Context) -> asyncio.Future[Agent]:
        built: asyncio.Future[Agent] = asyncio.get_running_loop().create_future()
        # Whoever waits gets the error; when nobody does, the messages that waited have got it.
        built.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._builds[agent_id] = built
        self._start(
            self._build(agent_id, built, self._begun_builds.pop(agent_id, None)),
            context,
            partial(self._ensure_built, agent_id, built),
        )
        return built

    def _ensure_built(
        self, agent_id: AgentId, built: asyncio.Future[Agent], task: asyncio.Task[None]
    ) -> None:
        """Fail a build whose task could not: it was cancelled before its first step, say."""
        if not built.done():
            self._fail_build(agent_id, built, error_of(task))

    def _fail_build(
        self, agent_id: AgentId, built: asyncio.Future[Agent], error: BaseException
    ) -> None:
        del self._builds[agent_id]
        self._fail_waiting(agent_id, error)
        fail(built, error)

    def _fail_waiting(self, agent_id: AgentId, error: BaseException) -> None:
        """Report that an agent could not be made, and end the messages that waited for it."""
        for ticket, envelope in self._dispatcher.build_failed(agent_id):
            self._settlement.failed(ticket, envelope, error)
            if isinstance(envelope, PublishEnvelope):
                self._on_unhandled(error)

    async def _build(
        self, agent_id: AgentId, built: asyncio.Future[Agent], begun: Awaitable[Agent] | None
    ) -> None:
        try:
            agent = await self._agents.construct(agent_id, begun)
        except BaseException as error:
            self._fail_build(agent_id, built, error)
            if isinstance(error, (asyncio.CancelledError, KeyboardInterrupt, SystemExit)):
                raise
            return
        del self._builds[agent_id]
        built.set_result(agent)
        self._enter(agent_id, agent)

    def _enter(self, agent_id: AgentId, agent: Agent) -> None:
        self._dispatcher.built(agent_id, agent)
        self._agents.watch(agent_id, asyncio.get_running_loop())
        self.carry_out()

    async def _deliver(self, delivery: Delivery[Envelope]) -> None:
        self._begun[delivery] = True
        self._dispatcher.begun()
        match delivery.payload:
            case DirectEnvelope() as envelope:
                await self._ask(delivery, envelope)
            case PublishEnvelope() as envelope:
                await self._tell(delivery, envelope)

    async def _ask(self, delivery: Delivery[Envelope], envelope: DirectEnvelope) -> None:
        agent_id, ticket = delivery.agent_id, delivery.ticket
        with self._observer.sending(envelope):
            try:
                response = await self._handle(delivery, envelope)
            except BaseException as error:  # noqa: BLE001 - it is the sender's
                self._settlement.refuse(envelope, error)
                self._observer.failed(agent_id, envelope.message, error, direct=True)
                self._end(delivery, Outcome.FAILED)
                return
            answer = AnswerEnvelope(
                message=response,
                sender=agent_id,
                recipient=envelope.sender,
                answer=envelope.answer,
                link=self._observer.link(),
            )
            self._observer.answered(response, agent_id, envelope.sender, DeliveryStage.SEND)
        del self._begun[delivery]
        await self._on_answer(agent_id, ticket, answer)

    async def _tell(self, delivery: Delivery[Envelope], envelope: PublishEnvelope) -> None:
        try:
            await self._handle(delivery, envelope)
        except BaseException as error:  # noqa: BLE001 - nobody waits for it
            del self._begun[delivery]
            self.publish_failed(delivery.agent_id, delivery.ticket, envelope, error)
        else:
            self._end(delivery, Outcome.HANDLED)

    def _end(self, delivery: Delivery[Envelope], outcome: Outcome) -> None:
        del self._begun[delivery]
        self.finish(delivery.agent_id, delivery.ticket, outcome)

    async def _handle(self, delivery: Delivery[Envelope], envelope: MessageEnvelope) -> Any:
        self._observer.delivered(
            delivery.agent_id,
            envelope.message,
            envelope.sender,
            direct=isinstance(envelope, DirectEnvelope),
        )
        context = envelope.message_context()
        with (
            self._observer.processing(delivery.agent_id, envelope),
            MessageHandlerContext.populate_context(delivery.agent_id),
        ):
            return await delivery.agent.on_message(envelope.message, ctx=context)


def error_of(task: asyncio.Task[None]) -> BaseException:
    """Why a task ended before it had done its work."""
    if task.cancelled():
        return asyncio.CancelledError()
    return task.exception() or RuntimeError("the task ended before its work was done")
