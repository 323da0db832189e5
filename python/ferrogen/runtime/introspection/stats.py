"""Statistics of a runtime: how many messages, how they ended, and how long they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from ferrogen.runtime.introspection.times import TimeHistogram

if TYPE_CHECKING:
    from ferrogen._core import Engine

__all__ = ["AgentTypeStats", "EngineStats", "MessageCounts", "RuntimeStats", "take_stats"]


_Ends: TypeAlias = tuple[int, int, int, int, int]
# The agent type; queued, running; how messages ended; retried, restarted; the times.
_Row: TypeAlias = tuple[str, tuple[int, int], _Ends, tuple[int, int], TimeHistogram, TimeHistogram]
EngineStats: TypeAlias = tuple[list[_Row], tuple[int, _Ends], tuple[TimeHistogram, TimeHistogram]]
"""What an engine returns: the agent types; of messages without a recipient: queued, and how they
ended; the waiting and handling times of all."""


@dataclass(frozen=True, kw_only=True)
class MessageCounts:
    """How many messages were accepted, and their outcomes.

    A message that was sent counts once. A message that was published counts once for each
    recipient. At any time, `accepted` is the sum of the seven numbers from `queued` to `dropped`.

    Example:
        ```python
        from ferrogen import AgentTypeStats, MessageCounts

        assert issubclass(AgentTypeStats, MessageCounts)
        ```
    """

    __module__ = "ferrogen"

    queued: int
    """Messages whose handlers have not begun."""

    running: int
    """Messages whose handlers have begun and not ended; suspended ones are included."""

    handled: int
    """Messages whose handlers returned."""

    failed: int
    """Messages whose handlers raised, in the last attempt; or the factory of their agent, or an
    intervention handler."""

    cancelled: int
    """Messages whose handlers were cancelled."""

    expired: int
    """Messages whose deadlines passed: in a queue, or while their handlers ran."""

    dropped: int
    """Messages that no handler got, for another reason: the mailbox was full, the call would have
    been a deadlock, an intervention handler dropped the message, the circuit breaker was open, the
    agent or the runtime was stopped."""

    retried: int
    """How often a handler was called again with the same message."""

    restarted: int
    """How often a new instance replaced an agent that had failed."""

    waiting_time: TimeHistogram
    """How long messages waited: from acceptance until the handler began."""

    handling_time: TimeHistogram
    """How long messages were handled: from the beginning of the handler to its end, with retries
    and with what the handler waited for."""

    @property
    def accepted(self) -> int:
        """All messages: queued, running and ended."""
        return self.queued + self.running + self.ended

    @property
    def ended(self) -> int:
        """Messages that are neither queued nor running any more."""
        return self.handled + self.failed + self.cancelled + self.expired + self.dropped

    def to_dict(self) -> dict[str, Any]:
        """Return everything as a dict for JSON. Times are in seconds."""
        found: dict[str, Any] = {"accepted": self.accepted}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, TimeHistogram):
                value = {name: getattr(value, name) for name in _TIMES}
            elif isinstance(value, Mapping):
                value = {name: one.to_dict() for name, one in value.items()}
            found[field.name] = value
        return found


_TIMES = ("count", "mean", "p50", "p90", "p99", "max")


@dataclass(frozen=True, kw_only=True)
class AgentTypeStats(MessageCounts):
    """The statistics of the agents of one type, since the runtime was created.

    They stay when agents are passivated or restarted.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentTypeStats, SingleThreadedAgentRuntime


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            agent_types: dict[str, AgentTypeStats] = dict(runtime.stats().agent_types)
            assert agent_types == {}


        asyncio.run(main())
        ```

        `RuntimeStats` has one with messages.
    """

    __module__ = "ferrogen"

    name: str
    """The agent type."""


@dataclass(frozen=True, kw_only=True)
class RuntimeStats(MessageCounts):
    """The statistics of a runtime, since it was created: a snapshot, which does not change.

    The numbers are the sums of those of the agent types, and of messages that no agent type got:
    a published message that is not routed yet is queued, and one without a recipient was dropped,
    has expired or has failed.

    Example:
        ```python
        import asyncio
        from dataclasses import dataclass

        from ferrogen import (
            AgentId,
            MessageContext,
            RoutedAgent,
            SingleThreadedAgentRuntime,
            rpc,
        )


        @dataclass
        class Order:
            number: int


        class Clerk(RoutedAgent):
            @rpc
            async def take(self, message: Order, ctx: MessageContext) -> None:
                if message.number < 0:
                    raise ValueError("no such order")


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Clerk.register(runtime, "clerk", lambda: Clerk("takes orders"))
            async with runtime:
                await runtime.send_message(Order(1), AgentId("clerk", "shop"))
                try:
                    await runtime.send_message(Order(-1), AgentId("clerk", "shop"))
                except ValueError:
                    pass
            stats = runtime.stats()
            clerk = stats.agent_types["clerk"]
            assert (clerk.accepted, clerk.handled, clerk.failed) == (2, 1, 1)
            assert clerk.handling_time.count == 2
            assert clerk.handling_time.p50 <= clerk.handling_time.max
            assert stats.handled == 1


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen"

    unrouted: int
    """Published messages that are queued and not routed yet. They are part of `queued`."""

    agent_types: Mapping[str, AgentTypeStats]
    """The statistics of each agent type that has had a message or an agent, by name."""


def take_stats(engine: Engine) -> RuntimeStats:
    """Take a snapshot of the statistics of an engine."""
    rows, (unrouted, ends), (waiting_time, handling_time) = engine.stats()
    agent_types = {
        name: AgentTypeStats(
            name=name,
            queued=queued,
            running=running,
            handled=handled,
            failed=failed,
            cancelled=cancelled,
            expired=expired,
            dropped=dropped,
            retried=retried,
            restarted=restarted,
            waiting_time=waiting,
            handling_time=handling,
        )
        for (
            name,
            (queued, running),
            (handled, failed, cancelled, expired, dropped),
            (retried, restarted),
            waiting,
            handling,
        ) in sorted(rows, key=lambda row: row[0])
    }
    handled, failed, cancelled, expired, dropped = ends
    of = agent_types.values()
    return RuntimeStats(
        queued=unrouted + sum(one.queued for one in of),
        running=sum(one.running for one in of),
        handled=handled + sum(one.handled for one in of),
        failed=failed + sum(one.failed for one in of),
        cancelled=cancelled + sum(one.cancelled for one in of),
        expired=expired + sum(one.expired for one in of),
        dropped=dropped + sum(one.dropped for one in of),
        retried=sum(one.retried for one in of),
        restarted=sum(one.restarted for one in of),
        waiting_time=waiting_time,
        handling_time=handling_time,
        unrouted=unrouted,
        agent_types=MappingProxyType(agent_types),
    )
