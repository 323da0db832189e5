"""The random choices of a round: what is switched on, which agents there are."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from ferrogen import CircuitBreaker, Supervision

from .agents import AgentKind
from .sending import random_policy

__all__ = ["PROFILES", "Plan", "plan_of"]

PROFILES = ("mixed", "passivation")


@dataclass
class Plan:
    """A round."""

    seed: str
    messages: int
    random: Random
    is_task_mode: bool = False
    is_traced: bool = False
    is_logged: bool = False
    raise_unhandled: bool = False
    runtimes: int = 1
    interceptors: int = 0
    suspends: float = 0.0
    lanes: int = 4
    depth: int = 3
    is_disturbed: bool = True
    """Whether the runtime is stopped and started, and subscriptions change."""
    has_store: bool = False
    """Whether the state of agents is kept while they are not in memory."""
    ends_with_close: bool = False
    """Whether the last part is ended by `close`, in the middle of it."""
    parts: tuple[str, ...] = ("started", "by hand", "started")
    """How messages are taken, part by part."""
    kinds: list[AgentKind] = field(default_factory=list)
    keys: int = 4
    features: float = 0.0
    """How often messages use features that end them early or elsewhere."""


def plan_of(profile: str, seed: int, number: int) -> Plan:
    """Plan a round: the same for the same arguments."""
    text = f"{profile}/{seed}/{number}"
    random = Random(text)
    chance = random.random
    plan = Plan(text, random.choice((1000, 2000, 4000)), random)
    plan.is_task_mode = chance() < 0.25
    plan.lanes = random.randint(2, 8)
    plan.has_store = chance() < 0.5
    if profile == "passivation":
        plan.keys = random.choice((1, 2, 4))
        plan.is_disturbed = chance() < 0.3
        plan.depth = random.randint(0, 2)
        plan.interceptors = chance() < 0.1
        plan.kinds = [_passivating(random, f"a{n}") for n in range(random.randint(1, 4))]
        plan.parts = random.choice((("started",), ("started", "by hand")))
        return plan
    plan.is_traced = chance() < 0.04
    plan.is_logged = chance() < 0.2
    plan.raise_unhandled = chance() < 0.15
    plan.runtimes = 2 if chance() < 0.15 else 1
    plan.interceptors = random.randint(1, 3) if chance() < 0.4 else 0
    plan.suspends = random.choice((0.0, 0.05, 0.5))
    plan.keys = random.choice((1, 3, 8, 40))
    plan.ends_with_close = chance() < 0.25
    plan.parts = random.choice(
        (("started",), ("started", "started"), ("started", "by hand"), ("by hand", "started"))
    )
    makers = (_unlimited, _limited, _limited, _bounded, _passivating, _anything, _instances)
    plan.kinds = [
        random.choice(makers)(random, f"a{number}") for number in range(random.randint(2, 6))
    ]
    if chance() < 0.6:
        plan.features = random.choice((0.02, 0.05, 0.2))
        for kind in plan.kinds:
            _guard(random, kind)
    return plan


def _guard(random: Random, kind: AgentKind) -> None:
    chance = random.random
    if kind.concurrency == 1 and chance() < 0.6:
        kind.order = random.choice(("sequential", "reentrant"))
    if chance() < 0.3:
        kind.retry = random_policy(random)
    if chance() < 0.3:
        kind.circuit_breaker = CircuitBreaker(
            failures=random.randint(1, 5),
            window=random.choice((0.01, 0.1)),
            reset_after=random.choice((0.002, 0.01)),
            half_open_calls=random.randint(1, 2),
        )
    if kind.factory == "instance" or chance() < 0.6:
        return
    if chance() < 0.2:
        kind.supervision = Supervision(on_failure=random.choice(("stop", "escalate")))
    else:
        kind.supervision = Supervision(
            on_failure="restart",
            max_restarts=random.choice((3, 100)),
            within=random.choice((0.01, 1.0)),
            keep_state=chance() < 0.5,
        )


def _unlimited(random: Random, name: str) -> AgentKind:
    return AgentKind(name, is_routed=random.random() < 0.5)


def _limited(random: Random, name: str) -> AgentKind:
    kind = _unlimited(random, name)
    kind.concurrency = random.choice((1, 1, 1, 2, 3))
    kind.factory = random.choice(("sync", "async"))
    return kind


def _bounded(random: Random, name: str) -> AgentKind:
    kind = _limited(random, name)
    kind.capacity = random.choice((1, 2, 5))
    kind.overflow = random.choice(("reject", "drop_newest", "drop_oldest", "wait", "wait"))
    return kind


def _passivating(random: Random, name: str) -> AgentKind:
    kind = _unlimited(random, name)
    kind.passivate_after = random.choice((0.001, 0.002, 0.003, 0.01))
    kind.factory = random.choice(("sync", "async", "yields", "slow"))
    kind.failure_rate = random.choice((0.0, 0.1, 0.4))
    kind.max_active = random.choice((None, None, 1, 2, 4))
    kind.concurrency = random.choice((None, None, 1, 2))
    if random.random() < 0.3:
        kind.capacity = random.choice((1, 3))
        kind.overflow = random.choice(("reject", "drop_newest", "drop_oldest", "wait", "wait"))
    return kind


def _anything(random: Random, name: str) -> AgentKind:
    kind = _passivating(random, name)
    kind.passivate_after = random.choice((None, 0.001, 0.02))
    return kind


def _instances(random: Random, name: str) -> AgentKind:
    kind = _unlimited(random, name)
    kind.factory = "instance"
    kind.concurrency = random.choice((None, 1))
    return kind
