"""Agent options: concurrency, mailbox, passivation, and consequences of failures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ferrogen.agents.circuit_breaker import CircuitBreaker
from ferrogen.agents.option_checks import check_kind
from ferrogen.agents.retry_policy import RetryPolicy
from ferrogen.agents.supervision import Supervision

Order = Literal["concurrent", "sequential", "reentrant"]
Overflow = Literal["reject", "wait", "drop_newest", "drop_oldest"]


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """Options of the agents of one type. The defaults give AutoGen's behavior.

    Example:
        ```python
        from ferrogen import AgentOptions

        options = AgentOptions(concurrency=1, capacity=100, overflow="drop_oldest")
        ```

    Raises:
        ValueError: An option has an invalid value.
    """

    order: Order = "concurrent"
    """Whether one agent handles messages at the same time or one after the other. A sequential
    agent that awaits a response keeps its turn. A reentrant agent is sequential, but a message that
    comes back along its own chain of calls is handled at once."""

    concurrency: int | None = None
    """How many messages one concurrent agent handles at the same time; 1 means one after the
    other, None means no limit."""

    capacity: int | None = None
    """How many messages may be queued for one agent that is busy or being built; None means no
    limit."""

    overflow: Overflow = "reject"
    """The rule for a full mailbox. The new message is rejected or dropped, or the oldest
    queued message of the lowest priority is dropped: these are dead letters, and the sender of a
    request gets a `MailboxFullError`. With `"wait"` the sender waits until there is room, and who
    came first is served first: `publish_message` ends when the message has its place in the
    mailboxes of all recipients. A sender that stops waiting withdraws its message."""

    passivate_after: float | None = None
    """After how many seconds without a message an idle agent is passivated: closed and removed. Its
    next message builds it again. Its state is kept if the runtime has a `StateStore`. None means
    never."""

    max_active: int | None = None
    """How many agents of the type are kept in memory. If there are more, the idle ones that were
    used least recently are passivated. Agents that handle messages, or have some queued, never are:
    while all are busy there may be more. None means no limit."""

    retry: RetryPolicy | None = None
    """How a handler that has failed is called again. None means never."""

    circuit_breaker: CircuitBreaker | None = None
    """When messages are rejected at once, because handlers keep failing. None means never."""

    supervision: Supervision | None = None
    """The consequence of a failure of the agent: it is restarted, stopped, or halts the runtime.
    With None there is none."""

    def __post_init__(self) -> None:
        if self.order not in get_args(Order):
            raise ValueError(f"order must be one of {get_args(Order)}; got {self.order!r}")
        if self.order != "concurrent" and self.concurrency not in (None, 1):
            raise ValueError(
                f"concurrency must be 1 or None with order={self.order!r}, which handles one "
                f"message at a time; got {self.concurrency!r}"
            )
        limits = ("concurrency", "capacity", "max_active")
        for name, value in ((name, getattr(self, name)) for name in limits):
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(
                    f"{name} must be a whole number of at least 1, or None for no limit; "
                    f"got {value!r}"
                )
        if self.overflow not in get_args(Overflow):
            raise ValueError(f"overflow must be one of {get_args(Overflow)}; got {self.overflow!r}")
        if self.overflow != "reject" and self.capacity is None:
            raise ValueError(
                f"overflow={self.overflow!r} needs a capacity: without one the mailbox is never "
                "full. Set capacity, or leave out overflow"
            )
        seconds: object = self.passivate_after
        is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
        # Written so that NaN is rejected too.
        if seconds is not None and not (is_number and seconds > 0):  # type: ignore[operator]
            raise ValueError(
                "passivate_after must be a number of seconds greater than 0, or None for never; "
                f"got {self.passivate_after!r}"
            )
        check_kind("retry", self.retry, RetryPolicy)
        check_kind("circuit_breaker", self.circuit_breaker, CircuitBreaker)
        check_kind("supervision", self.supervision, Supervision)
