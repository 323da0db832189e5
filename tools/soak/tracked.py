"""A runtime, and what the program knows of its agents and subscriptions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from random import Random

from ferrogen import (
    AgentId,
    DeadLetterCause,
    MessageContext,
    SingleThreadedAgentRuntime,
    TopicId,
)

from .agents import AgentKind, Worker
from .ledger import Entry, Ledger, Run
from .messages import FactoryError, Work
from .subscriptions import TrackedSubscription

__all__ = ["TrackedRuntime"]

# The messages of these dead letters count as failed or dropped.
_FAILED = {
    DeadLetterCause.HANDLER_FAILED,
    DeadLetterCause.BUILD_FAILED,
    DeadLetterCause.INTERCEPTION_FAILED,
    DeadLetterCause.ROUTING_FAILED,
    DeadLetterCause.DROPPED,
    DeadLetterCause.REJECTED,
}

# A handler may have been called with the messages of these dead letters, in an earlier attempt.
_NOT_ACCEPTED = {DeadLetterCause.NO_SUBSCRIBER, DeadLetterCause.UNKNOWN_RECIPIENT}
_REJECTED = {DeadLetterCause.CIRCUIT_OPEN, DeadLetterCause.AGENT_STOPPED}

Act = Callable[[Worker, Run, Work, MessageContext], Awaitable[None]]


class TrackedRuntime:
    """A runtime of one round.

    Args:
        runtime: The runtime.
        ledger: The ledger of the round.
        random: The choices of the round.
        act: What handlers do.
        raise_unhandled: Whether an unhandled error halts the runtime.
    """

    def __init__(
        self,
        runtime: SingleThreadedAgentRuntime,
        ledger: Ledger,
        random: Random,
        act: Act,
        *,
        raise_unhandled: bool,
    ) -> None:
        self.runtime = runtime
        self.ledger = ledger
        self.random = random
        self.used = ledger.used
        self.act = act
        self.raise_unhandled = raise_unhandled
        self.types: dict[str, AgentKind] = {}
        self.ids: list[AgentId] = []
        self.topics: list[TopicId] = []
        self._recipients: dict[object, Counter[str]] = {}
        self._recipients_version = 0
        self.live: dict[str, Worker] = {}
        self.replaced: set[Worker] = set()
        """Instances that have a successor, and are closed when their handlers have ended."""
        self.totals: Counter[str] = Counter()
        """How many handlers of an agent have begun, in all its instances."""
        self.last_started: dict[tuple[object, str], int] = {}
        self.subscriptions: list[TrackedSubscription] = []
        self.version = 0
        """The number of changes of the subscriptions."""
        self.unhandled: list[BaseException] = []
        """The errors that may halt the runtime."""
        self.unhandled_before: list[BaseException] = []
        """Those before its last stop."""
        self.has_raising_subscription = False
        self.stops = 0
        self.is_down = False
        self.is_closing = False
        self.is_closed = False
        self.dead_letters_missed = 0
        self._dead_letters = 0
        self._builds: Counter[str] = Counter()
        self.failures: dict[str, int] = {}
        """When the factory of an agent failed last, by the clock of the ledger."""
        self.tally = dict.fromkeys(runtime._engine.tally(), 0)

    # Agents.

    @contextmanager
    def building(self, key: str) -> Iterator[None]:
        """A factory runs."""
        self._builds[key] += 1
        if self._builds[key] > 1:
            self.ledger.violate("A1: two builds of one agent", None, key)
        try:
            yield
        finally:
            self._builds[key] -= 1
            if not self._builds[key]:
                del self._builds[key]

    def agent_built(self, worker: Worker) -> None:
        """A factory has made an agent."""
        self.ledger.note("built", 0, worker.key)
        before = self.live.get(worker.key)
        if before is not None:
            # Handlers that run when their agent fails keep their instance until they have ended.
            if not self.types[worker.type_name].is_replaced:
                self.ledger.violate("A1: built while another instance is alive", None, worker.key)
            self.replaced.add(before)
            self.used["agent: replaced while its handlers run"] += 1
        self.live[worker.key] = worker

    def factory_failed(self, key: str, error: FactoryError) -> FactoryError:
        """A factory is about to raise."""
        self.ledger.note("build failed", 0, key)
        self.failures[key] = self.ledger.clock
        self.unhandled.append(error)
        return error

    def agent_closing(self, worker: Worker) -> None:
        """The `close` of an agent was called."""
        ledger, kind = self.ledger, self.types[worker.type_name]
        ledger.note("close", 0, worker.key)
        self.used["agent: closed"] += 1
        if worker.is_closing:
            ledger.violate("A1: closed twice", None, worker.key)
        worker.is_closing = True
        if self.live.get(worker.key) is worker:
            del self.live[worker.key]
        elif worker in self.replaced:
            self.replaced.discard(worker)
        else:
            ledger.violate("A1: two instances of one agent", None, worker.key)
        if self.is_closing:
            return
        self.used["agent: passivated"] += 1
        if worker.running:
            ledger.violate("A1: passivated while a handler runs", None, worker.key)
        if kind.is_replaced:
            return
        idle = ledger.time() - worker.last_active
        if kind.max_active is not None:
            return
        if kind.passivate_after is None or idle < kind.passivate_after - 1e-6:
            ledger.violate(f"passivated after {idle} idle seconds", None, worker.key)

    def escalates(self, agent_type: str) -> bool:
        """Whether a failure of an agent halts the runtime."""
        supervision = self.types[agent_type].supervision
        return supervision is not None and supervision.on_failure == "escalate"

    def count(self, worker: Worker) -> None:
        """A handler begins. With a store, an agent has counted those of earlier instances, too."""
        worker.total += 1
        self.totals[worker.key] += 1
        is_kept = self.runtime.state_store is not None
        if self.types[worker.type_name].is_replaced:
            return  # a new instance may begin anew
        if is_kept and worker.total != self.totals[worker.key]:
            self.ledger.violate("the state of an agent is lost", None, worker.key)

    # Topics.

    @property
    def waits(self) -> bool:
        """Whether publishers wait for room."""
        return any(kind.overflow == "wait" for kind in self.types.values())

    def add(self, one: TrackedSubscription) -> None:
        """A subscription was added."""
        self.subscriptions.append(one)

    def recipients(self, entry: Entry, *, certain: bool) -> Counter[str]:
        """How often a published message reaches agents, by the subscriptions since it was sent.

        Args:
            entry: The message.
            certain: Only those that were subscribed during all of that time.
        """
        found: Counter[str] = Counter()
        if entry.only is not None:
            found[entry.only] = 1
            return found
        if not isinstance(entry.to, TopicId):
            return found
        asked = (entry.to, str(entry.sender), entry.version, certain)
        if self._recipients_version != self.version:
            self._recipients_version = self.version
            self._recipients.clear()
        if (known := self._recipients.get(asked)) is not None:
            return known
        self._recipients[asked] = found
        for one in self.subscriptions:
            if one.removed is not None and (certain or one.removed <= entry.version):
                continue
            if certain and one.added > entry.version:
                continue
            recipient = one.recipient(entry.to)
            if recipient is None or recipient == str(entry.sender):
                continue
            if recipient.split("/", maxsplit=1)[0] in self.types:
                found[recipient] += 1
        return found

    def may_receive(self, entry: Entry, key: str) -> bool:
        """Whether an agent may receive a published message once more."""
        return entry.starts.count(key) < self.recipients(entry, certain=False)[key]

    # Dead letters.

    def read_dead_letters(self) -> None:
        """Enter new dead letters into the ledger. Called in each iteration of the event loop."""
        letters = self.runtime.dead_letters
        if letters.total == self._dead_letters:
            return
        self.dead_letters_missed += letters.total - self._dead_letters - len(letters)
        self._dead_letters = letters.total
        for letter in letters:
            self.used[f"dead letter: {letter.cause.value}"] += 1
            entry = self.ledger.entries.get(letter.message.serial)
            if entry is not None:
                entry.causes[letter.cause.value] += 1
            if letter.cause in _FAILED:
                continue  # the ledger knows what has failed
            if entry is None:
                self.ledger.violate("L1: a dead letter of a settled message", None, letter)
            elif entry.is_several:
                is_known = letter.recipient is None or letter.recipient.type in self.types
                entry.dead += is_known and letter.cause not in _NOT_ACCEPTED
                if entry.dead + len(entry.starts) > entry.copies and not entry.attempts_failed:
                    self.ledger.violate("L1: more dead letters than messages", entry)
            elif letter.cause is DeadLetterCause.HOP_LIMIT:
                pass  # it was not accepted
            elif entry.is_direct:
                entry.dead += 1
                if entry.dead > 1 or (entry.starts and letter.cause not in _REJECTED):
                    self.ledger.violate("L1: a dead letter of a message that had its end", entry)
            elif isinstance(letter.receiver, TopicId):
                entry.dead += 1  # not the dead letters of agent types that are not registered
        letters.clear()
