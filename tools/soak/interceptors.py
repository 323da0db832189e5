"""Intervention handlers that rewrite, drop, raise and suspend."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ferrogen import (
    AgentId,
    DefaultInterventionHandler,
    Delay,
    DropMessage,
    MessageContext,
    Redirect,
    Reject,
    TopicId,
)

from .ledger import Entry
from .messages import InterceptorError, Reply, Work
from .sending import SECONDS, Sender
from .subscriptions import BROKEN

if TYPE_CHECKING:
    from .rounds import Round
    from .tracked import TrackedRuntime

__all__ = ["INTERCEPTORS", "Interceptor"]


class Interceptor:
    """Decides at random, and enters the decision into the ledger.

    Args:
        round: The round.
        suspends: How often it suspends.
    """

    home: TrackedRuntime

    def __init__(self, round: Round, suspends: float) -> None:
        self.round = round
        self.random = round.random
        self.suspends = suspends

    async def revise(self, message: Any, kind: str) -> Any:
        """Revise a message or a response."""
        if message is None:
            return message  # the response of a stream, or of what went to a topic
        entry = self.home.ledger.entries.get(message.serial)
        if entry is None:
            self.home.ledger.violate(f"intervention: {kind} after the end", None, message)
            return message
        if entry.is_several:
            return message
        self._check(entry, message, kind)
        self.home.used[f"intervention: {kind}"] += 1
        self.home.ledger.note(kind, entry.serial, id(self) % 1000)
        try:
            revised = await self._revise(entry, message, kind)
            self.home.ledger.note(f"{kind} ends", entry.serial, id(self) % 1000)
            return revised
        except BaseException as error:
            self._enter_verdict(entry, kind, "failed")
            entry.error = error
            self.home.unhandled.append(error)
            raise

    def _check(self, entry: Entry, message: Any, kind: str) -> None:
        is_reply = kind == "on_response"
        expected = entry.reply_revision if is_reply else entry.revision
        if message.revision != expected:
            self.home.ledger.violate("intervention: not the revised message", entry, message)
        if (entry.reply_verdict if is_reply else entry.verdict) is not None:
            self.home.ledger.violate("intervention: called after a drop", entry)
        if not is_reply and entry.starts:
            self.home.ledger.violate("intervention: called after the handler began", entry)

    async def _revise(self, entry: Entry, message: Any, kind: str) -> Any:
        used, choice = self.home.used, self.random.random
        if choice() < self.suspends:
            used["intervention: suspends"] += 1
            seconds = 0 if choice() < 0.5 else self.random.choice(SECONDS)
            sleep = self.round.aside.sleep if choice() < 0.3 else asyncio.sleep
            await sleep(seconds)
        if choice() < 0.02:
            used["intervention: raises"] += 1
            raise InterceptorError
        if choice() < 0.03:
            used["intervention: drops"] += 1
            self._enter_verdict(entry, kind, "dropped")
            return DropMessage
        if choice() < 0.02:
            used["intervention: rejects"] += 1
            self._enter_verdict(entry, kind, "dropped")
            entry.error = InterceptorError()
            return Reject(entry.error)
        if choice() < 0.03:
            used["intervention: delays"] += 1
            entry.is_unordered = True
            return Delay(self.random.choice(SECONDS))
        if choice() < self.round.plan.features:
            redirected = self._redirect(entry, kind)
            if redirected is not None:
                return redirected
        if choice() < 0.02:
            return None  # leaves the message as it is
        if choice() < 0.01:
            used["intervention: publishes"] += 1
            sender = Sender(self.round, self.home, None, None, 0)
            await sender.send(sender.topic_entry())
        if choice() < 0.5:
            used["intervention: rewrites"] += 1
            if kind == "on_response":
                entry.reply_revision += 1
            else:
                entry.revision += 1
            return replace(message, revision=message.revision + 1)
        return message

    def _redirect(self, entry: Entry, kind: str) -> Redirect | None:
        home, choose = self.home, self.random.choice
        to: AgentId | TopicId = choose(home.ids)
        if self.random.random() < 0.5:
            to = choose([one for one in home.topics if one.type != BROKEN])
        if entry.kind == "stream" or entry.origin is not None or home.waits:
            return None
        is_topic = isinstance(to, TopicId)
        if kind == "on_response":
            return self._redirect_response(entry, to)
        home.used[f"redirect: {kind}, {'topic' if is_topic else 'agent'}"] += 1
        entry.is_unordered = True
        if is_topic:
            entry.is_direct, entry.to, entry.only = False, to, None
            entry.version = home.version
        elif entry.is_direct:
            entry.to = to
        else:
            entry.only = str(to)
        return Redirect(to)

    def _redirect_response(self, entry: Entry, to: AgentId | TopicId) -> Redirect | None:
        if entry.parent is not None:
            return None  # a deadlock is not detected: it has no caller
        home = self.home
        is_topic = isinstance(to, TopicId)
        home.used[f"redirect: on_response, {'topic' if is_topic else 'agent'}"] += 1
        sender = Sender(self.round, home, entry.sender, None, 0)
        forward = sender.entry(to)
        forward.message_id = None
        forward.origin = entry
        home.ledger.begin_send(forward, is_ordered=False)
        forward.stops = entry.stops  # a runtime that was stopped meanwhile redirects no response
        if is_topic:
            entry.is_to_topic = True
            forward.end = "response"
            entry.forward = forward
        else:
            entry.forward = forward
            if entry.end is not None:
                forward.end, forward.end_error = entry.end, entry.end_error
        return Redirect(to, forward.work)

    @staticmethod
    def _enter_verdict(entry: Entry, kind: str, verdict: str) -> None:
        if kind == "on_response":
            entry.reply_verdict = verdict
        else:
            entry.verdict = verdict


class OnMessages(Interceptor, DefaultInterventionHandler):
    """Revises messages, and inherits the method for responses."""

    async def on_send(
        self, message: Work, *, message_context: MessageContext, recipient: AgentId
    ) -> Any:
        """Revise a message that is sent."""
        return await self.revise(message, "on_send")

    async def on_publish(self, message: Work, *, message_context: MessageContext) -> Any:
        """Revise a message that is published."""
        return await self.revise(message, "on_publish")


class OnResponses(Interceptor, DefaultInterventionHandler):
    """Revises responses, and inherits the other methods."""

    async def on_response(
        self, message: Reply, *, sender: AgentId, recipient: AgentId | None
    ) -> Any:
        """Revise a response."""
        return await self.revise(message, "on_response")


class OnAll(OnMessages, OnResponses):
    """Revises everything."""


class OnNothing(Interceptor, DefaultInterventionHandler):
    """Inherits all methods."""


INTERCEPTORS: tuple[type[Interceptor], ...] = (OnMessages, OnResponses, OnAll, OnNothing)
