"""The ledger: each message from its sending to its end, and the rules that each step must obey."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ferrogen import AgentId, MessageContext, MessageHandlerContext, RetryPolicy
from ferrogen.exceptions import (
    AgentStoppedError,
    AttemptTimeoutError,
    CircuitOpenError,
    DeadlineExceededError,
    DeadlockError,
    HopLimitError,
    MailboxFullError,
    MessageCancelledError,
    MessageDroppedException,
    RecipientNotFoundError,
    RuntimeStoppedError,
)

from .entries import ROUNDING, Entry, Scope
from .messages import FactoryError, HandlerError, InterceptorError, Reply, RoutingError, Work

if TYPE_CHECKING:
    from .agents import Worker
    from .tracked import TrackedRuntime

__all__ = ["EXPECTED", "HANDLING", "SCOPE", "Entry", "Ledger", "Run", "Scope", "ViolationError"]

HANDLING: ContextVar[int | None] = ContextVar("HANDLING", default=None)
"""The serial number of the message that is being handled."""
SCOPE: ContextVar[Scope | None] = ContextVar("SCOPE", default=None)
"""The chain in which messages are sent outside of handlers."""

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
    AgentStoppedError,
    AttemptTimeoutError,
    CircuitOpenError,
    DeadlineExceededError,
    HopLimitError,
    MessageCancelledError,
    asyncio.CancelledError,
)
"""What a send or a handler may raise. Anything else is a defect."""

_TRACE = 300


class ViolationError(Exception):
    """A rule was broken; the round ends."""


class Run:
    """One invocation of a handler."""

    __slots__ = (
        "cancelled_at", "context", "entry", "is_cancelled", "notes", "read", "task", "worker",
    )  # fmt: skip

    def __init__(
        self,
        entry: Entry,
        worker: Worker,
        task: asyncio.Task[Any] | None,
        context: MessageContext,
    ) -> None:
        self.entry = entry
        self.worker = worker
        self.task = task
        self.context = context
        self.notes: list[object] = []
        """What `runtime.steer` has sent to it."""
        self.read: list[object] = []
        """What it has found in its inbox so far."""
        self.cancelled_at: float | None = None
        """When `runtime.cancel` has met it."""
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
        self.notes: dict[object, int] = {}
        """How many handlers a message that steers may still reach."""

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

    def steered(self, runs: list[Run], note: int, count: int) -> None:
        """A message was put into the inboxes of so many handlers, these among them."""
        self.notes[note] = count
        if count < len(runs):
            self.violate(f"steer: {count} handlers instead of {len(runs)}", None, runs)
        for run in runs:
            run.notes.append(note)

    def enter(self, entry: Entry) -> Entry:
        """Add a message that is about to be sent."""
        self.entries[entry.serial] = entry
        self.follow(entry)
        return entry

    def follow(self, entry: Entry) -> None:
        """Let a message inherit from the handler that sends it."""
        entry.scope = SCOPE.get()
        serial = HANDLING.get()
        parent = None if serial is None else self.entries.get(serial)
        if parent is not None:
            entry.parent = parent
            entry.deadline = parent.deadline
            entry.has_hop_limit = parent.has_hop_limit

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
        if entry.forward is not None and not entry.is_to_topic:
            self._end(entry, "response")
            self.end_value(entry.forward, value)
            return
        self._end(entry, "response")
        if not entry.is_direct or entry.is_to_topic:
            if value is not None:
                self.violate("a publish returned a value", entry, value)
        elif len(entry.starts) != 1 or entry.returned != 1:
            self.violate("L1: a response without a handler that returned", entry)
        elif not isinstance(value, Reply) or value.serial != entry.serial:
            self.violate("L1: the response of another message", entry, value)
        elif value.revision != entry.reply_revision:
            self.violate("intervention: not the response that was revised last", entry, value)

    def end_stream(self, entry: Entry, parts: int, *, is_left: bool) -> None:
        """A stream has ended, or its reader has left it."""
        self._end(entry, "left" if is_left else "response")
        if len(entry.starts) != 1 or entry.running:
            self.violate("stream: its handler has not run, or still runs", entry)
        if not is_left and (entry.returned != 1 or parts != entry.serial % 5):
            self.violate("stream: ends early", entry, parts)

    def leave(self, entry: Entry) -> None:
        """The sender of several requests waits for none of them any more."""
        self._end(entry, "left")

    def end_error(self, entry: Entry, error: BaseException) -> None:
        """A send has raised."""
        kind = "cancelled" if isinstance(error, asyncio.CancelledError) else "error"
        self._end(entry, kind)
        entry.end_error = error
        self.used[f"end: {type(error).__name__}"] += 1
        if entry.forward is not None:
            if not entry.is_to_topic:
                self._end(entry.forward, kind)
                entry.forward.end_error = error
            if self._explains(entry.forward, error):
                return
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
            may_cancel = entry.may_cancel or entry.was_cancelled()
            return may_cancel or by_handler or home.is_closing or self._is_handler_limited(entry)
        special = self._explains_special(entry, error)
        if special is not None:
            return special
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

    def _is_handler_limited(self, entry: Entry) -> bool:
        """Whether the handler that has sent a message may have been cancelled for its time."""
        parent = entry.parent
        return parent is not None and (parent.is_late(self.time()) or parent.may_time_out())

    def _explains_special(self, entry: Entry, error: BaseException) -> bool | None:
        if isinstance(error, DeadlineExceededError):
            return entry.is_late(self.time())
        if isinstance(error, MessageCancelledError):
            return entry.was_cancelled()
        if isinstance(error, HopLimitError):
            return entry.has_hop_limit
        if isinstance(error, AttemptTimeoutError):
            return entry.may_time_out()
        kind = entry.home.types.get(getattr(entry.to, "type", ""))
        if isinstance(error, CircuitOpenError):
            return kind is not None and kind.circuit_breaker is not None
        if isinstance(error, AgentStoppedError):
            return kind is not None and kind.is_replaced
        return None

    # Handlers.

    def runs_of(self, home: TrackedRuntime, key: str) -> list[Run]:
        """The handlers that run in an agent."""
        return [
            run for run in self._runs.values() if run.worker.key == key and run.worker.home is home
        ]

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
        if HANDLING.get() != (entry.serial if MessageHandlerContext.attempt() > 1 else None):
            self.violate("C1: context of another handler", entry, HANDLING.get())
        HANDLING.set(entry.serial)
        run = Run(entry, worker, task, context)
        if task is None or task.done() or id(task) in self._runs:
            text = "C1: the current task is none, done, or that of another handler"
            self.violate(text, entry, task)
        self._runs[id(task)] = run
        if not self._is_retry(entry, worker, context):
            entry.starts.append(worker.key)
        entry.running += 1
        worker.running += 1
        return run

    def _is_retry(self, entry: Entry, worker: Worker, context: MessageContext) -> bool:
        attempt = MessageHandlerContext.attempt()
        before, error, _ = entry.attempts.get(id(context), (0, None, context))
        if self._has_retries(entry, worker):
            entry.attempts[id(context)] = (attempt, None, context)
        if attempt == 1:
            return False
        if attempt != before + 1 or error is None:
            self.violate(f"retries: attempt {attempt} after {before}, {error!r}", entry)
        policy = self._has_retries(entry, worker)
        if policy is None or attempt > policy.attempts:
            self.violate(f"retries: attempt {attempt} of {policy}", entry, worker.key)
        if error is not None:
            # It is not how the message ends.
            entry.failed_runs = [one for one in entry.failed_runs if one is not error]
            if not entry.is_direct:
                unhandled = worker.home.unhandled
                # Once: the factory of another agent may have raised it, and it goes through here.
                last = [place for place, one in enumerate(unhandled) if one is error][-1:]
                unhandled[:] = [one for place, one in enumerate(unhandled) if [place] != last]
        return True

    @staticmethod
    def _has_retries(entry: Entry, worker: Worker) -> RetryPolicy | None:
        return entry.policy or worker.home.types[worker.type_name].retry

    def _check_message(
        self, entry: Entry, worker: Worker, message: Work, context: MessageContext
    ) -> None:
        if entry.home is not worker.home:
            self.violate("a message of another runtime", entry, worker.key)
        now = self.time()
        # A handler whose sender was cancelled may go on after the deadline.
        if entry.is_late(now - 2 * ROUNDING) and entry.end != "cancelled":
            self.violate("deadline: a handler starts after it", entry, now)
        if entry.is_in_cancelled_chain():
            self.violate("cancel: a handler starts after its chain was cancelled", entry)
        if MessageHandlerContext.attempt() == 1:
            self._check_first_attempt(entry, worker)
        if entry.verdict is not None:
            self.violate("intervention: handled although it was dropped", entry)
        if message.revision != entry.revision:
            self.violate("intervention: not the message that was revised last", entry, message)
        topic = None if entry.is_direct else entry.to
        is_same_topic = context.topic_id == topic or entry.only is not None
        if context.sender != entry.sender or not is_same_topic:
            self.violate("the context of another message", entry, context)
        if context.is_rpc is not entry.is_direct:
            self.violate("is_rpc is wrong", entry)
        if entry.message_id is not None and context.message_id != entry.message_id:
            self.violate("the message id was lost", entry, context.message_id)

    def _check_first_attempt(self, entry: Entry, worker: Worker) -> None:
        if entry.is_several:
            if worker.key not in entry.fan or len(entry.starts) >= entry.copies:
                self.violate("L1: handled too often, or elsewhere", entry, worker.key)
            if entry.kind == "request_all" and worker.key in entry.starts:
                self.violate("L1: handled twice", entry, worker.key)
        elif not entry.is_direct:
            if not worker.home.may_receive(entry, worker.key):
                self.violate("L1: handled more often than subscribed", entry, worker.key)
        else:
            if entry.starts:
                self.violate("L1: handled twice", entry, worker.key)
            if str(entry.to) != worker.key:
                self.violate("the handler of another agent", entry, worker.key)
            if (entry.end == "error" and entry.origin is None) or entry.dead:
                self.violate("L1: handled after its end", entry)

    def _check_agent(self, entry: Entry, worker: Worker) -> None:
        home = worker.home
        if worker.is_closing:
            self.violate("A1: a message after close began", entry, worker)
        if home.live.get(worker.key) is not worker:
            self.violate("A1: two instances of one agent", entry, worker.key)
        if home.is_closed:
            self.violate("a handler starts after close() returned", entry, worker.key)
        kind = home.types[worker.type_name]
        limit = kind.limit
        if limit is None or worker.running < limit:
            return
        if kind.order != "reentrant":
            self.violate(f"concurrency: more than {limit} handlers", entry, worker.key)
            return
        if MessageHandlerContext.attempt() > 1:
            return  # what its earlier attempts have called may run
        one = entry.parent
        while one is not None and worker.key not in one.starts:
            one = one.parent
        if one is None:
            self.violate("reentrant: a message of no chain of its own", entry, worker.key)

    def _check_order(self, entry: Entry, worker: Worker) -> None:
        if entry.order is None or entry.is_unordered or MessageHandlerContext.attempt() > 1:
            return
        if worker.home.types[worker.type_name].order == "reentrant" and (
            worker.running or entry.follows_from(worker.key)
        ):
            return  # a call along its own chain does not wait for those before it
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
        self._check_inbox(run)
        if run.cancelled_at is not None and entry.work.action == "sleep":
            is_cancelled = isinstance(error, asyncio.CancelledError)
            if not is_cancelled or self.time() > run.cancelled_at:
                self.violate("cancel: a handler that sleeps was not cancelled", entry, error)
        if error is None:
            entry.returned += 1
            return
        entry.failed_runs.append(error)
        if id(run.context) in entry.attempts:
            attempt, *_ = entry.attempts[id(run.context)]
            entry.attempts[id(run.context)] = (attempt, error, run.context)
        is_cancelled = isinstance(error, asyncio.CancelledError)
        if is_cancelled and not (run.is_cancelled or worker.home.is_closing):
            by_limit = entry.is_late(self.time()) or entry.may_time_out() or entry.was_cancelled()
            is_left = entry.kind in ("stream", "request_all") or entry.origin is not None
            if not (by_limit or is_left):
                self.violate("a handler is cancelled that neither it nor close() cancelled", entry)
        if not isinstance(error, EXPECTED):
            self.violate("an error that no handler raises", entry, error)
        if not entry.is_direct or worker.home.escalates(worker.type_name):
            worker.home.unhandled.append(error)

    def _check_inbox(self, run: Run) -> None:
        run.read += run.context.inbox
        missing = [note for note in run.notes if note not in run.read]
        if missing:
            self.violate(f"steer: {missing} did not reach the handler", run.entry, run.read)
        for note in run.read:
            self.notes[note] -= 1
            if self.notes[note] < 0:
                self.violate(f"steer: {note} reached too many handlers", run.entry)
