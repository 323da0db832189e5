"""Random programs of agents: the actions of handlers, as data that hypothesis can shrink.

The result of a program must not depend on how its handlers interleave: there is no guarantee. They
wait at gates that are opened when the loop is idle, and cancel what would wait forever.
"""

import sys
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

Step = tuple[Any, ...]

GATES = 3
AGENT_TYPES = ("routed", "generic", "whole")
KEYS = ("x", "y")
TOPICS = ("t", "u")


@dataclass(frozen=True)
class Script:
    """The steps of the handler of one message."""

    steps: tuple[Step, ...] = ()


@dataclass(frozen=True)
class Program:
    """The actions from outside, by phase; between phases, the runtime becomes idle."""

    phases: tuple[tuple[Step, ...], ...]
    subscriptions: tuple[tuple[str, str, bool], ...] = ()
    built: bool = True
    logged: bool = False
    observed: bool = False
    restarted: bool = False
    by_hand: int = 0
    """How many messages are processed manually before the runtime is started."""


targets = st.tuples(st.sampled_from(AGENT_TYPES), st.sampled_from(KEYS))

waits = st.one_of(
    st.tuples(st.just("yield"), st.integers(1, 3)),
    st.tuples(
        st.just("gate"),
        st.integers(0, GATES - 1),
        st.sampled_from(["event", "future", "condition", "custom", "shield", "wait_for", "task"]),
    ),
    st.just(("sleep",)),
    st.just(("soon",)),
    st.just(("lock",)),
    st.just(("queue",)),
    st.just(("generator",)),
)
looks = st.one_of(
    st.tuples(st.just("set variable"), st.integers(1, 9)),
    st.just(("get variable",)),
    st.just(("reset variable",)),
    st.tuples(st.just("set name"), st.sampled_from(["one", "two"])),
    st.just(("get name",)),
    st.just(("touch",)),
    st.just(("handled exception",)),
    st.just(("know myself",)),
    st.tuples(st.just("open"), st.integers(0, GATES - 1)),
)
ends = st.one_of(
    st.tuples(
        st.just("fail"),
        st.sampled_from(["value", "key", "own", "stop", "cancelled", "timeout", "base", "cause"]),
    ),
    st.tuples(st.just("return"), st.sampled_from(["none", "error", "tuple", "coroutine"])),
    st.tuples(st.just("cancel myself"), st.booleans()),
    st.tuples(st.just("time out"), st.sampled_from(["wait_for", "timeout", "zero"])),
)
FORMS = ["await", "runtime", "task", "named task", "future", "wait_for", "shield", "gather"]
FORMS += ["generator", *(["timeout", "group"] if sys.version_info >= (3, 11) else [])]
WAYS_OUT = ["task", "token", "wait_for", "gather", "gather errors", "handler", "name", "callback"]
WAYS_OUT += ["timeout", "group"] if sys.version_info >= (3, 11) else []


def steps_with(scripts: st.SearchStrategy[Script]) -> st.SearchStrategy[Step]:
    """Steps that pass on scripts, or run steps inside another construct."""
    to_one = st.tuples(targets, scripts)
    to_some = st.lists(to_one, min_size=1, max_size=3).map(tuple)
    within = st.sampled_from(["except", "finally", "manager", "variable"])
    return st.one_of(
        st.tuples(st.just("send"), targets, scripts, st.sampled_from(FORMS), st.booleans()),
        st.tuples(st.just("send"), targets, scripts, st.just("await"), st.booleans()),
        st.tuples(st.just("gather"), to_some, st.booleans()),
        st.tuples(st.just("publish"), st.sampled_from(TOPICS), scripts),
        st.tuples(st.just("spawn"), targets, scripts, st.sampled_from(["kept", "loose", "late"])),
        st.tuples(
            st.just("give up"),
            st.lists(targets, min_size=1, max_size=3).map(tuple),
            scripts,
            scripts,
            st.sampled_from(WAYS_OUT),
            st.integers(0, 2),
        ),
        st.tuples(st.just("inside"), within, scripts),
    )


def to_script(steps: list[Step]) -> Script:
    return Script(tuple(steps))


leaves = st.one_of(waits, looks, ends)
scripts = st.recursive(
    st.lists(leaves, max_size=3).map(to_script),
    lambda inner: st.lists(st.one_of(steps_with(inner), leaves), max_size=4).map(to_script),
    max_leaves=12,
)
to_some = st.lists(st.tuples(targets, scripts), min_size=1, max_size=4).map(tuple)
openings = st.lists(
    st.one_of(
        st.tuples(st.just("send"), targets, scripts, st.sampled_from(FORMS), st.just(True)),
        st.tuples(st.just("gather"), to_some, st.just(True)),
        st.tuples(st.just("publish"), st.sampled_from(TOPICS), scripts),
    ),
    min_size=1,
    max_size=4,
).map(tuple)
subscriptions = st.lists(
    st.tuples(st.sampled_from(TOPICS), st.sampled_from(AGENT_TYPES), st.booleans()),
    max_size=4,
    unique=True,
).map(tuple)
programs = st.builds(
    Program,
    phases=st.lists(openings, min_size=1, max_size=2).map(tuple),
    subscriptions=subscriptions,
    built=st.booleans(),
    logged=st.sampled_from([False, False, False, True]),
    observed=st.sampled_from([False, False, False, True]),
    restarted=st.booleans(),
    by_hand=st.sampled_from([0, 0, 0, 2]),
)
