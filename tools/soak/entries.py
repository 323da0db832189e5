"""The messages of the soak program, and what became of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ferrogen import AgentId, MessageContext, RetryPolicy, TopicId

from .messages import Work

if TYPE_CHECKING:
    from .tracked import TrackedRuntime

__all__ = ["ROUNDING", "Entry", "Scope"]

ROUNDING = 1e-6
"""How much the clocks of the program and of the runtime may differ, in seconds."""


class Scope:
    """A chain of messages that can be cancelled together."""

    def __init__(self) -> None:
        self.is_cancelled = False


@dataclass(eq=False, repr=False, slots=True)
class Entry:
    """One message."""

    home: TrackedRuntime
    sender: AgentId | None
    to: AgentId | TopicId
    work: Work
    serial: int = field(init=False)
    is_direct: bool = field(init=False)
    message_id: str | None = None
    order_key: object = field(init=False)
    order: int | None = None
    is_unordered: bool = False
    """Whether others may overtake it, or be overtaken by it."""
    begun: bool = False
    """Whether the runtime was given the message."""
    clock: int = 0
    version: int = 0
    stops: int = 0
    may_cancel: bool = False
    starts: list[str] = field(default_factory=list)
    running: int = 0
    returned: int = 0
    failed_runs: list[BaseException] = field(default_factory=list)
    verdict: str | None = None
    """What an intervention handler did to the message: "dropped" or "failed"."""
    reply_verdict: str | None = None
    error: BaseException | None = None
    """What an intervention handler raised."""
    revision: int = 0
    reply_revision: int = 0
    dead: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    """Why it became a dead letter."""
    end: str | None = None
    end_error: BaseException | None = None
    kind: str = field(init=False)
    """How it is sent: "send", "publish", "request_all", "stream" or "schedule"."""
    fan: frozenset[str] = frozenset()
    """The agents of a message that may have several responses."""
    ends: Counter[str] = field(default_factory=Counter)
    """How many responses and failures its sender got."""
    copies: int = 1
    """How many responses that may be."""
    parent: Entry | None = None
    """The message whose handler has sent it."""
    scope: Scope | None = None
    """The chain that it was sent in."""
    deadline: float | None = None
    """When it expires, by its own timeout or an inherited one."""
    has_hop_limit: bool = False
    is_cancelled: bool = False
    """Whether `runtime.cancel` has met it."""
    policy: RetryPolicy | None = None
    """Its own retry policy."""
    attempts: dict[int, tuple[int, BaseException | None, MessageContext]] = field(
        default_factory=dict
    )
    """The last attempt of each delivery, and its error, by the identity of its context."""
    only: str | None = None
    """The one agent that an intervention handler has redirected a published message to."""
    forward: Entry | None = None
    """What its response was redirected as."""
    origin: Entry | None = None
    """The message whose response it is, redirected."""
    is_to_topic: bool = False
    """Whether it, or its response, was redirected to a topic: its sender gets None."""

    def __post_init__(self) -> None:
        self.serial = self.work.serial
        self.is_direct = isinstance(self.to, AgentId)
        self.order_key = "outside" if self.sender is None else str(self.sender)
        self.kind = "send" if self.is_direct else "publish"

    @property
    def is_several(self) -> bool:
        """Whether several handlers may respond to it."""
        return self.kind in ("request_all", "schedule")

    @property
    def attempts_failed(self) -> bool:
        """Whether a handler has failed, and may have been followed by a rejection."""
        return any(error is not None for _, error, _ in self.attempts.values())

    def was_cancelled(self) -> bool:
        """Whether it, or what it follows from, was cancelled by `runtime.cancel`."""
        one: Entry | None = self
        while one is not None:
            if one.is_cancelled or (one.scope is not None and one.scope.is_cancelled):
                return True
            one = one.parent or one.origin
        return False

    def is_in_cancelled_chain(self) -> bool:
        """Whether it belongs to a chain that was cancelled: the innermost one."""
        one: Entry | None = self
        while one is not None:
            if one.scope is not None:
                return one.scope.is_cancelled
            one = one.parent
        return False

    def follows_from(self, agent: str) -> bool:
        """Whether it was sent by a handler of an agent, or by one that this has called."""
        one = self.parent
        while one is not None:
            if agent in one.starts:
                return True
            one = one.parent
        return False

    def is_late(self, now: float) -> bool:
        """Whether its deadline has passed, or passes now."""
        return self.deadline is not None and now >= self.deadline - ROUNDING

    def may_time_out(self) -> bool:
        """Whether its attempts have a time limit."""
        if self.policy is not None:
            return self.policy.attempt_timeout is not None
        kinds = self.home.types.values()
        return any(kind.retry and kind.retry.attempt_timeout is not None for kind in kinds)

    def __repr__(self) -> str:
        state = {
            name: getattr(self, name)
            for name in (
                "end",
                "end_error",
                "deadline",
                "causes",
                "begun",
                "starts",
                "running",
                "returned",
                "verdict",
                "dead",
            )
        }
        return f"{self.kind} #{self.serial} {self.work.action} {self.sender} -> {self.to} {state}"
