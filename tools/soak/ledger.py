"""The ledger: each message from its sending to its end, and the rules that each step must obey."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ferrogen import AgentId, MessageContext, TopicId
from ferrogen.exceptions import (
    DeadlockError,
    MailboxFullError,
    MessageDroppedException,
    RecipientNotFoundError,
    RuntimeStoppedError,
)

from .messages import FactoryError, HandlerError, InterceptorError, Reply, RoutingError, Work

if TYPE_CHECKING:
    from .agents import Worker
    from .tracked import TrackedRuntime

__all__ = ["EXPECTED", "HANDLING", "Entry", "Ledger", "Run", "ViolationError"]

HANDLING: ContextVar[int | None] = ContextVar("HANDLING", default=None)
"""The serial number of the message that is being handled."""

EXPECTED = (
    HandlerError,
    FactoryError,
    InterceptorError,
    RoutingError,
    DeadlockError,
    MailboxFullError,
    MessageDroppedException,
    RecipientNotFoundError,
    RuntimeStoppedError,
    asyncio.CancelledError,
)
"""What a send or a handler may raise. Anything else is a defect."""

_TRACE = 300


class ViolationError(Exception):
    """A rule was broken; the round ends."""


class Entry:
    """One message."""

    __slots__ = (
        "begun", "clock", "dead", "end", "error", "failed_runs", "home", "is_direct",
        "is_unordered", "may_cancel", "message_id", "order", "order_key", "reply_revision",
        "reply_verdict", "returned", "revision", "running", "sender", "serial", "starts", "stops",
        "to", "verdict", "version", "work",
    )  # fmt: skip

    def __init__(
        self, home: TrackedRuntime, sender: AgentId | None, to: AgentId | TopicId, work: Work
    ) -> None:
        self.home = home
        self.serial = work.serial
        self.sender = sender
        self.to = to
        self.work = work
        self.is_direct = isinstance(to, AgentId)
        self.message_id: str | None = None
        self.order_key: object = "outside" if sender is None else str(sender)
        self.order: int | None = None
        self.is_unordered = False
        """Whether others may overtake it, or be overtaken by it."""
        self.begun = False
        """Whether the runtime was given the message."""
        self.clock = 0
        self.version = 0
        self.stops = 0
        self.may_cancel = False
        self.starts: list[str] = []
        self.running = 0
        self.returned = 0
        self.failed_runs: list[BaseException] = []
        self.verdict: str | None = None
        """What an intervention handler did to the message: "dropped" or "failed"."""
        self.reply_verdict: str | None = None
        self.error: BaseException | None = None
        """What an intervention handler raised."""
        self.revision = 0
        self.reply_revision = 0
        self.dead = 0
        self.end: str | None = None

    def __repr__(self) -> str:
        kind = "send" if self.is_direct else "publish"
        state = {
            name: getattr(self, name)
            for name in ("end", "begun", "starts", "running", "returned", "verdict", "dead")
        }
        return f"{kind} #{self.serial} {self.work.action} {self.sender} -> {self.to} {state}"


class Run:
    """One invocation of a handler."""

    __slots__ = ("entry", "is_cancelled", "task", "worker")

    def __init__(self, entry: Entry, worker: Worker, task: asyncio.Task[Any] | None) -> None:
        self.entry = entry
        self.worker = worker
        self.task = task
        self.is_cancelled = False
        """Whether it has cancelled itself, or has met a cancellation."""


class Ledger:
    """The messages of one round, and the violations.

    Args:
        time: The clock of the event loop.
        used: Counts what was exercised.
    """

    def __init__(self, time: Callable[[], float], used: Counter[str]) -> None:
        self.time = time
        self.used = used
        self.entries: dict[int, Entry] = {}
        self.violations: list[str] = []
        self.trace: deque[tuple[float, str, int, object]] = deque(maxlen=_TRACE)
        self.digest = 0
        self.clock = 0
        """The number of events so far."""
        self._runs: dict[int, Run] = {}
        self._serial = 0

    # Events.

    def note(self, event: str, serial: int, about: object = "") -> None:
        """Record an event."""
        self.clock += 1
        now = self.time()
        self.trace.append((now, event, serial, about))
        self.digest = hash((self.digest, len(event), serial, now))

    def violate(self, rule: str, entry: Entry | None = None, about: object = "") -> None:
        """Record that a rule was broken."""
        self.violations.append(f"{rule}: {entry!r} {about!r}")

    @property
    def messages(self) -> int:
        """How many messages there were."""
        return self._serial

    def next_serial(self) -> int:
        """The serial number of the next message."""
        self._serial += 1
        return self._serial

    def enter(self, entry: Entry) -> Entry:
        """Add a message that is about to be sent."""
        self.entries[entry.serial] = entry
        return entry

    def begin_send(self, entry: Entry, *, is_ordered: bool = True) -> None:
        """The runtime is given a message now."""
        entry.begun = True
        self.note("sent", entry.serial, entry.to)
        entry.clock = self.clock
        entry.version = entry.home.version
        entry.stops = entry.home.stops
        if is_ordered:
            entry.order = self.clock

    # Ends, as the sender sees them.

    def end_value(self, entry: Entry, value: Any) -> None:
        """A send has returned."""
        self._end(entry, "response")
        if not entry.is_direct:
            if value is not None:
                self.violate("a publish returned a value", entry, value)
        elif len(entry.starts) != 1 or entry.returned != 1:
            self.violate("L1: a response without a handler that returned", entry)
        elif not isinstance(value, Reply) or value.serial != entry.serial:
            self.violate("L1: the response of another message", entry, value)
        elif value.revision != entry.reply_revision:
            self.violate("intervention: not the response that was revised last", entry, value)

    def end_error(self, entry: Entry, error: BaseException) -> None:
        """A send has raised."""
        kind = "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
        self._end(entry, kind)
        self.used[f"end: {type(error).__name__}"] += 1
        if not self._explains(entry, error):
            self.violate("an end that nothing explains", entry, error)

    def _end(self, entry: Entry, kind: str) -> None:
        if entry.end is not None:
            self.violate(f"L1: a second end, {kind}", entry)
        entry.end = kind
        self.note(kind, entry.serial)

    def _explains(self, entry: Entry, error: BaseException) -> bool:
        if any(error is one for one in entry.failed_runs) or error is entry.error:
            return True
        home = entry.home
        if isinstance(error, asyncio.CancelledError):
            by_handler = any(isinstance(one, asyncio.CancelledError) for one in entry.failed_runs)
            return entry.may_cancel or by_handler or home.is_closing
        if isinstance(error, MessageDroppedException):
            is_reply = entry.returned > 0 and entry.reply_verdict == "dropped"
            return is_reply or (not entry.starts and entry.verdict == "dropped")
        # A publisher that waits for room in one mailbox may have been delivered to another one.
        if entry.starts and entry.is_direct:
            return False
        if isinstance(error, RuntimeStoppedError):
            return home.stops > entry.stops or home.is_down or home.raise_unhandled
        if not isinstance(entry.to, AgentId):
            # A publisher that waits for room can be part of a deadlock.
            kinds = home.types.values()
            waits = any(kind.overflow == "wait" for kind in kinds)
            return isinstance(error, DeadlockError) and waits
        if isinstance(error, RecipientNotFoundError):
            return entry.to.type not in home.types
        if isinstance(error, FactoryError):
            return bool(error.args[0] == str(entry.to))
        kind = home.types.get(entry.to.type)
        if kind is None:
            return False
        if isinstance(error, MailboxFullError):
            return kind.capacity is not None
        return isinstance(error, DeadlockError) and kind.concurrency is not None

    # Handlers.

    def start(self, worker: Worker, message: Work, context: MessageContext) -> Run:
        """A handler has begun."""
        self.note("start", message.serial, worker.key)
        entry = self.entries.get(message.serial)
        task = asyncio.current_task()
        if entry is None:
            raise ViolationError(f"L1: message #{message.serial} is handled after it was settled")
        self._check_message(entry, worker, message, context)
        self._check_agent(entry, worker)
        self._check_order(entry, worker)
        if HANDLING.get() is not None:
            self.violate("C1: context of another handler", entry, HANDLING.get())
        HANDLING.set(entry.serial)
        run = Run(entry, worker, task)
        if task is None or task.done() or id(task) in self._runs:
            text = "C1: the current task is none, done, or that of another handler"
            self.violate(text, entry, task)
        self._runs[id(task)] = run
        entry.starts.append(worker.key)
        entry.running += 1
        worker.running += 1
        return run

    def _check_message(
        self, entry: Entry, worker: Worker, message: Work, context: MessageContext
    ) -> None:
        if entry.home is not worker.home:
            self.violate("a message of another runtime", entry, worker.key)
        if entry.is_direct:
            if entry.starts:
                self.violate("L1: handled twice", entry, worker.key)
            if str(entry.to) != worker.key:
                self.violate("the handler of another agent", entry, worker.key)
            if entry.end == "error" or entry.dead:
                self.violate("L1: handled after its end", entry)
        elif not worker.home.may_receive(entry, worker.key):
            self.violate("L1: handled more often than subscribed", entry, worker.key)
        if entry.verdict is not None:
            self.violate("intervention: handled although it was dropped", entry)
        if message.revision != entry.revision:
            self.violate("intervention: not the message that was revised last", entry, message)
        topic = None if entry.is_direct else entry.to
        if context.sender != entry.sender or context.topic_id != topic:
            self.violate("the context of another message", entry, context)
        if context.is_rpc is not entry.is_direct:
            self.violate("is_rpc is wrong", entry)
        if entry.message_id is not None and context.message_id != entry.message_id:
            self.violate("the message id was lost", entry, context.message_id)

    def _check_agent(self, entry: Entry, worker: Worker) -> None:
        home = worker.home
        if worker.is_closing:
            self.violate("A1: a message after close began", entry, worker)
        if home.live.get(worker.key) is not worker:
            self.violate("A1: two instances of one agent", entry, worker.key)
        if home.is_closed:
            self.violate("a handler starts after close() returned", entry, worker.key)
        limit = home.types[worker.type_name].concurrency
        if limit is not None and worker.running >= limit:
            self.violate(f"concurrency: more than {limit} handlers", entry, worker.key)

    def _check_order(self, entry: Entry, worker: Worker) -> None:
        if entry.order is None or entry.is_unordered:
            return
        key = (entry.order_key, worker.key)
        last = worker.home.last_started.get(key, 0)
        if last > entry.order:
            self.violate("O1: overtaken by a later message of its sender", entry, worker.key)
        worker.home.last_started[key] = entry.order

    def finish(self, run: Run, error: BaseException | None = None) -> None:
        """A handler has ended."""
        entry, worker = run.entry, run.worker
        entry.running -= 1
        worker.running -= 1
        worker.last_active = self.time()
        self._runs.pop(id(run.task), None)
        self.note("end" if error is None else "raise", entry.serial, worker.key)
        if asyncio.current_task() is not run.task:
            self.violate("C1: the current task has changed", entry, worker.key)
        if HANDLING.get() != entry.serial:
            self.violate("C1: the context has changed", entry, HANDLING.get())
        if error is None:
            entry.returned += 1
            return
        entry.failed_runs.append(error)
        is_cancelled = isinstance(error, asyncio.CancelledError)
        if is_cancelled and not (run.is_cancelled or worker.home.is_closing):
            self.violate("a handler is cancelled that neither it nor close() cancelled", entry)
        if not isinstance(error, EXPECTED):
            self.violate("an error that no handler raises", entry, error)
        if not entry.is_direct:
            worker.home.unhandled.append(error)
