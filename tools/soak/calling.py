"""Calls beyond sending: streams, requests to all, schedules, and chains that are cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from ferrogen import AgentId, GatheredResponses, TopicId
from ferrogen.exceptions import NoSubscriberError

from .ledger import EXPECTED, SCOPE, Entry, Scope
from .messages import Flow, HandlerError, Reply
from .sending import Sender, Way, end_task, start, within
from .subscriptions import BROKEN

__all__ = ["CALLING"]


async def stream(sender: Sender) -> None:
    """Read a stream, to its end or not so far."""
    home = sender.home
    kinds = [one for one in home.types.values() if one.is_routed and one.retry is None]
    if not kinds:
        await sender.send(sender.entry())
        return
    kind = sender.random.choice(kinds)
    to = sender.random.choice([one for one in home.ids if one.type == kind.name])
    entry = sender.entry(to, "stream", Flow)
    entry.kind = "stream"
    options = sender.options(entry)
    if entry.message_id is not None:
        options["message_id"] = entry.message_id
    parts = home.runtime.stream(entry.work, to, sender=sender.agent_id, **options)
    sender.ledger.begin_send(entry, is_ordered=False)
    reading = _read(sender, entry, parts)
    if sender.run is None:
        await reading
    else:
        entry.may_cancel = True
        await within(sender, entry, reading)


async def _read(sender: Sender, entry: Entry, parts: AsyncGenerator[Any, None]) -> None:
    ledger, most = sender.ledger, sender.random.randint(0, 8)
    received = 0
    try:
        async with aclosing(parts):
            async for part in parts:
                if part != Reply(entry.serial, received):
                    ledger.violate("stream: another part than the next one", entry, part)
                received += 1
                if received > most:
                    break
                if sender.random.random() < 0.2:
                    await asyncio.sleep(sender.seconds())
    except BaseException as error:
        ledger.end_error(entry, error)
        raise
    sender.home.used["stream: left" if received > most else "stream: read"] += 1
    ledger.end_stream(entry, received, is_left=received > most)


async def request_all(sender: Sender) -> None:
    """Send a request to all subscribers of a topic."""
    home, ledger, random = sender.home, sender.ledger, sender.random
    entry = sender.topic_entry()
    entry.kind, entry.is_direct, entry.is_unordered = "request_all", True, True
    entry.message_id = None
    ledger.begin_send(entry, is_ordered=False)
    entry.fan = frozenset(home.recipients(entry, certain=True))
    entry.copies = len(entry.fan)
    entry.may_cancel = True
    assert isinstance(entry.to, TopicId)
    quorum = random.choice((None, None, 1, 2))
    timeout = random.choice((None, *[sender.seconds() for _ in range(2)]))
    if sender.run is not None:
        timeout = sender.seconds()
    call = home.runtime.request_all(
        entry.work, entry.to, sender=sender.agent_id, quorum=quorum, timeout=timeout
    )
    try:
        gathered = await call
    except NoSubscriberError:
        if entry.fan:
            ledger.violate("request_all: finds no subscriber", entry)
        return
    except BaseException as error:
        if entry.to.type != BROKEN and not isinstance(error, EXPECTED):
            ledger.violate("request_all: raises", entry, error)
        if sender.run is not None and isinstance(error, asyncio.CancelledError):
            sender.run.is_cancelled = True
        raise
    finally:
        ledger.leave(entry)
    if not gathered.missing:
        entry.end = "response"
    _check_gathered(sender, entry, gathered, is_limited=timeout is not None)


def _check_gathered(
    sender: Sender, entry: Entry, gathered: GatheredResponses[Any], *, is_limited: bool
) -> None:
    ledger = sender.ledger
    sender.home.used["request_all: complete" if gathered.is_complete else "request_all"] += 1
    found = [*gathered.responses, *gathered.failures, *gathered.missing]
    names = {str(one) for one in found if one.type in sender.home.types}
    if names != entry.fan or len(set(found)) != len(found):
        ledger.violate("request_all: not each subscriber once", entry, found)
    if gathered.missing and not (is_limited or gathered.has_quorum):
        ledger.violate("request_all: some are missing", entry, gathered.missing)
    for agent_id, response in gathered.responses.items():
        is_same = isinstance(response, Reply) and response.serial == entry.serial
        if not is_same or str(agent_id) not in entry.starts:
            ledger.violate("request_all: another response", entry, response)
    entry.ends["responded"] = len(gathered.responses)
    errors = [type(error) for error in gathered.failures.values()]
    entry.ends["failed"] = errors.count(HandlerError)


async def schedule(sender: Sender) -> None:
    """Schedule a message; sometimes cancel that."""
    home, random = sender.home, sender.random
    to = random.choice(home.ids)
    entry = sender.entry(to)
    entry.kind, entry.is_unordered, entry.message_id = "schedule", True, None
    entry.copies = random.randint(1, 4)
    entry.fan = frozenset({str(to)})
    entry.sender, entry.parent, entry.scope = None, None, None
    entry.deadline, entry.has_hop_limit = None, False
    count = entry.copies
    handle = home.runtime.schedule(entry.work, to, every=sender.seconds(), count=count)
    sender.ledger.begin_send(entry, is_ordered=False)
    try:
        await asyncio.wait_for(handle.wait(), random.choice((0.002, 0.01, 0.05)))
    except asyncio.TimeoutError:
        home.used["schedule: cancelled"] += 1
    finally:
        handle.cancel()
        sender.ledger.leave(entry)
        entry.copies = handle.sent
        if len(entry.starts) > handle.sent:
            sender.ledger.violate("schedule: handled more often than sent", entry, handle.sent)
        home.used["schedule: messages"] += handle.sent


async def in_chain(sender: Sender) -> None:
    """Send messages in a chain, and cancel it."""
    runtime, scope = sender.home.runtime, Scope()
    entries = [sender.random.choice(sender.home.ids) for _ in range(sender.random.randint(1, 4))]
    before = SCOPE.set(scope)
    try:
        with runtime.chain() as chain:
            made = [sender.entry(to) for to in entries]
            if sender.random.random() < 0.5:
                made.append(sender.topic_entry())
            for entry in made:
                entry.may_cancel = True
            tasks = [start(sender.send(entry)) for entry in made]
    finally:
        SCOPE.reset(before)
    try:
        await asyncio.wait(tasks, timeout=sender.seconds())
        scope.is_cancelled = True
        count = runtime.cancel(chain)
        sender.home.used["cancel: a chain"] += 1
        sender.home.used["cancel: running handlers of chains"] += count
        await asyncio.wait(tasks, timeout=sender.seconds())
    finally:
        scope.is_cancelled = True
        runtime.cancel(chain)
        for task in tasks:
            await end_task(task)


async def steer(sender: Sender) -> None:
    """Put a message into the inboxes of an agent's handlers."""
    home = sender.home
    agent_id = sender.random.choice(home.ids)
    steer_agent(sender, agent_id)


def steer_agent(sender: Sender, agent_id: AgentId) -> None:
    """Put a message into the inboxes of the handlers of an agent."""
    home, ledger = sender.home, sender.ledger
    note = len(ledger.notes)
    runs = ledger.runs_of(home, str(agent_id))
    count = home.runtime.steer(note, agent_id)
    home.used["steer: handlers"] += count
    ledger.steered(runs, note, count)


CALLING: dict[str, tuple[Way, float]] = {
    "call: stream": (stream, 1),
    "call: request_all": (request_all, 1),
    "call: schedule": (schedule, 0.3),
    "call: chain": (in_chain, 0.5),
    "call: steer": (steer, 0.5),
}
"""The calls, and how often they are chosen."""
