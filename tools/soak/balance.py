"""The balance: when a runtime is idle, its tally must be what the program has counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ferrogen import TopicId
from ferrogen.exceptions import (
    AgentStoppedError,
    CircuitOpenError,
    HopLimitError,
    MessageCancelledError,
)

from .ledger import Entry
from .subscriptions import BROKEN
from .tracked import TrackedRuntime

__all__ = ["check_balance"]

Outcomes = frozenset[str]

_NONE = "not accepted"


def check_balance(home: TrackedRuntime) -> None:
    """Check all messages of an idle runtime, and let go of them."""
    ledger = home.ledger
    home.read_dead_letters()
    mine = [entry for entry in ledger.entries.values() if entry.home is home]
    for entry in mine:
        if entry.running:
            ledger.violate("L2: idle while a handler runs", entry)
        if entry.begun and entry.end is None:
            ledger.violate("L1: a sender without an end", entry)
        del ledger.entries[entry.serial]
    engine = home.runtime._engine
    if home.runtime.unprocessed_messages_count or not engine.idle:
        ledger.violate("L2: not idle after the end", None, engine.tally())
    _check_tally(home, (one for entry in mine for one in _all_outcomes(entry)))
    stats = home.runtime.stats()
    if stats.queued or stats.running or stats.waiting_time.count != stats.handling_time.count:
        ledger.violate("L1: the statistics are not balanced", None, stats.to_dict())
    home.dead_letters_missed = 0
    home.failures.clear()


def _check_tally(home: TrackedRuntime, outcomes: Iterable[Outcomes]) -> None:
    certain: Counter[str] = Counter()
    possible: Counter[str] = Counter()
    accepted = most = 0
    for one in outcomes:
        accepted += _NONE not in one
        most += one != {_NONE}
        if len(one) == 1:
            certain.update(one)
        else:
            possible.update(one)
            home.used["ledger: outcomes that are not determined"] += 1
    tally = home.runtime._engine.tally()
    now = {name: count - home.tally[name] for name, count in tally.items()}
    home.tally = tally
    # The ledger does not distinguish them.
    now["failed"] += now.pop("cancelled")
    now["dead_lettered"] += now.pop("expired")
    if not accepted <= now["accepted"] <= most:
        text = f"tally: accepted {now['accepted']}, not {accepted} to {most}"
        home.ledger.violate(text)
    if sum(now.values()) != 2 * now["accepted"]:
        home.ledger.violate("L1: the outcomes do not add up to the accepted messages", None, now)
    for name, count in now.items():
        if name != "accepted":
            home.used[f"outcome: {name}"] += count
            least, most = certain[name], certain[name] + possible[name]
            if not least <= count <= most:
                home.ledger.violate(f"tally: {name} {count}, not {least} to {most}", None, now)


_ENDS = frozenset({"responded", "failed", "dead_lettered", "dropped"})
_MANY = frozenset({_NONE, *_ENDS})


def _all_outcomes(entry: Entry) -> Iterator[Outcomes]:
    """The outcomes that the messages of an entry may have had."""
    if not entry.is_several or not entry.begun:
        yield _outcomes(entry)
        return
    known = Counter[str]()
    if entry.kind == "request_all" and entry.end == "response":
        known = entry.ends
    for outcome, count in known.items():
        for _ in range(count):
            yield frozenset({outcome})
    for _ in range(entry.copies - known.total()):
        yield _MANY


def _outcomes(entry: Entry) -> Outcomes:
    """The outcomes that a message may have had."""
    if not entry.begun:
        return frozenset({_NONE})
    if entry.verdict is not None:
        return frozenset({entry.verdict})
    found = _of_send(entry) if entry.is_direct else _of_publish(entry)
    return found | _by_features(entry)


def _by_features(entry: Entry) -> Outcomes:
    """Further outcomes, of a message that something has ended early or kept from its handler."""
    good = "responded" if entry.is_direct else "handled"
    found: set[str] = set()
    if isinstance(entry.end_error, MessageCancelledError | HopLimitError):
        found |= {_NONE, "failed"}
    if isinstance(entry.end_error, AgentStoppedError | CircuitOpenError) and not entry.starts:
        found |= {_NONE, "failed", "dropped"}
    if entry.was_cancelled():
        found |= {"failed", "dead_lettered"}
    if entry.deadline is not None and (entry.failed_runs or entry.end_error or entry.causes):
        # At its deadline a handler may return all the same.
        found |= {"dead_lettered", "failed"} | ({good} if entry.returned else set())
    if entry.causes["circuit_open"] or entry.causes["agent_stopped"]:
        found |= {"dropped", "failed", "dead_lettered"}
    if entry.kind == "stream" or entry.origin is not None:
        found |= _ENDS if entry.is_direct else {good, "failed", "dead_lettered"}
    if entry.kind == "send" and not entry.is_direct:
        # It was redirected to a topic, and its sender may have left before.
        found |= {"handled", "failed", "dead_lettered"}
    return frozenset(found)


def _of_send(entry: Entry) -> Outcomes:
    home = entry.home
    if isinstance(entry.end_error, HopLimitError | MessageCancelledError) and not entry.starts:
        return frozenset({_NONE})
    if entry.returned:
        return frozenset({entry.reply_verdict or "responded"})
    if entry.failed_runs:
        return frozenset({"failed"})
    if getattr(entry.to, "type", None) not in home.types:
        return frozenset({_NONE})
    if entry.dead:
        return frozenset({"dead_lettered"})
    found = {_NONE}
    if home.failures.get(str(entry.to), 0) > entry.clock or home.is_closing:
        found.add("failed")
    if home.dead_letters_missed:
        found.add("dead_lettered")
    return frozenset(found)


def _of_publish(entry: Entry) -> Outcomes:
    home, ledger = entry.home, entry.home.ledger
    if entry.end != "response":
        # A publisher that waited for room may have raised when the message was accepted.
        waits = any(kind.overflow == "wait" for kind in home.types.values())
        others = {"handled", "failed", "dead_lettered"} if waits else set()
        return frozenset({_NONE} | others)
    maybe = {"dead_lettered"} if home.dead_letters_missed else set()
    if isinstance(entry.to, TopicId) and entry.to.type == BROKEN and not (entry.only or entry.dead):
        return frozenset({"failed"} | maybe)
    required = home.recipients(entry, certain=True)
    missing = required - Counter(entry.starts)
    unbuilt = {key for key in missing if home.failures.get(key, 0) > entry.clock}
    lost = sum(count for key, count in missing.items() if key not in unbuilt)
    is_stopped = entry.dead > 0 and home.stops > entry.stops
    # It has expired, or was cancelled, before it had recipients.
    is_stopped |= bool(entry.causes["expired"] or entry.causes["cancelled"])
    is_stopped |= entry.was_cancelled()  # while it waited for the restart of its agent
    rejected = entry.causes["circuit_open"] + entry.causes["agent_stopped"]
    if lost > entry.dead + rejected and not (is_stopped or home.is_closing or maybe):
        ledger.violate(f"L1: {missing} did not get a published message", entry)
    if entry.dead:
        return frozenset({"dead_lettered"})
    if entry.failed_runs:
        return frozenset({"failed"} | maybe)
    if home.is_closing or home.recipients(entry, certain=False) != required:
        return frozenset({"handled", "failed"} | maybe)
    return frozenset({"failed" if unbuilt else "handled"} | maybe)
