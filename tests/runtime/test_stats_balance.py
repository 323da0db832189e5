"""Statistics balance: after random messages, they agree with a ledger that the test keeps."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Any

from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ferrogen import (
    AgentId,
    AgentOptions,
    RetryPolicy,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import DeadlineExceededError, MailboxFullError
from ferrogen.testing import VirtualClock

from ..random_examples import examples
from .function_agents import Doing, register

OPTIONS = {
    "plain": AgentOptions(),
    "sequential": AgentOptions(order="sequential"),
    "bounded": AgentOptions(concurrency=2, capacity=2, overflow="drop_oldest"),
    "rejecting": AgentOptions(order="reentrant", capacity=1, overflow="reject"),
    "retried": AgentOptions(retry=RetryPolicy(attempts=2, retry_on=(KeyError,))),
    "sleepy": AgentOptions(passivate_after=0.5),
}
# Calls lead to types later in the list only, so that no call waits for itself.
TYPES = list(OPTIONS)
LIMITED = ("bounded", "rejecting")
# In seconds: asyncio calls a timer that much too early, at most, as sums of times are rounded.
EARLY = 1e-9
ACTIONS = ("return", "return", "yield", "sleep", "raise", "cancel", "call", "call", "publish")


@dataclass
class Work:
    """What a handler does with a message."""

    number: int
    action: str
    deep: int
    seconds: float
    deadline: float | None


class Ledger:
    """Sends random messages, and writes down what becomes of them, seen from outside."""

    def __init__(self, random: Random, runtime: SingleThreadedAgentRuntime) -> None:
        self.random = random
        self.runtime = runtime
        self.numbers = 0
        self.accepted: dict[str, dict[int, Work]] = {name: {} for name in TYPES}
        self.begun: dict[str, set[int]] = {name: set() for name in TYPES}
        self.calls: Counter[str] = Counter()
        self.ends: dict[str, dict[int, str]] = {name: {} for name in TYPES}
        """How the last call of a handler with a message has ended."""
        self.full: dict[str, set[int]] = {name: set() for name in TYPES}
        """Messages of which the sender was told that the mailbox was full."""

    def work(self, deep: int, deadline: float | None) -> Work:
        self.numbers += 1
        action, seconds = self.random.choice(ACTIONS), self.random.choice((0.0, 0.2, 1.0))
        return Work(self.numbers, action, deep, seconds, deadline)

    async def send(
        self, sender: Any, first: int, deep: int, timeout: float | None, inherited: float | None
    ) -> None:
        name = self.random.choice(TYPES[first:])
        deadline = None if timeout is None else now() + timeout
        work = self.work(deep, deadline or inherited)
        self.accepted[name][work.number] = work
        try:
            to = AgentId(name, self.random.choice("xyz"))
            await sender.send_message(work, to, timeout=timeout)
        except MailboxFullError:
            if work.number not in self.begun[name]:
                self.full[name].add(work.number)
            raise

    async def publish(self, publisher: Any, deep: int) -> None:
        work = self.work(deep, None)
        me = publisher.id if isinstance(publisher, Doing) else None
        for name in TYPES:
            # The topic's source is the key; a sender does not get its own message.
            if me != AgentId(name, "x"):
                self.accepted[name][work.number] = work
        await publisher.publish_message(work, TopicId("all", "x"))

    async def handle(self, agent: Doing, work: Work, ctx: Any) -> Any:
        name = agent.id.type
        self.calls[name] += 1
        self.begun[name].add(work.number)
        self.ends[name].pop(work.number, None)
        try:
            await self.act(agent, TYPES.index(name), work)
        except BaseException as error:
            is_late = work.deadline is not None and now() >= work.deadline - EARLY
            kind = "failed"
            if isinstance(error, asyncio.CancelledError):
                kind = "cancelled"
            if is_late and isinstance(error, (asyncio.CancelledError, DeadlineExceededError)):
                kind = "expired"
            self.ends[name][work.number] = kind
            raise
        self.ends[name][work.number] = "handled"

    async def act(self, agent: Doing, place: int, work: Work) -> None:
        action = work.action
        if action == "yield":
            await asyncio.sleep(0)
        elif action == "sleep":
            await asyncio.sleep(work.seconds)
        elif action == "raise":
            raise KeyError(work.number)
        elif action == "cancel":
            raise asyncio.CancelledError
        elif action == "call" and work.deep and place + 1 < len(TYPES):
            await self.send(agent, place + 1, work.deep - 1, None, work.deadline)
        elif action == "publish" and work.deep and work.deadline is None:
            await self.publish(agent, work.deep - 1)

    def check(self) -> None:
        """Compare what is known while messages are queued and handlers run."""
        stats = self.runtime.stats()
        for name, of in stats.agent_types.items():
            assert of.accepted <= len(self.accepted[name])
            assert min(of.queued, of.running) >= 0
            assert of.waiting_time.count == of.handling_time.count + of.running
            # A task may have begun, and its handler not yet.
            assert of.waiting_time.count >= len(self.begun[name])
            assert of.running >= len(self.begun[name] - set(self.ends[name]))
        assert stats.accepted - stats.unrouted == sum(
            of.accepted for of in stats.agent_types.values()
        )

    def check_end(self) -> None:
        """Compare everything when nothing is left to do."""
        stats = self.runtime.stats()
        assert stats.accepted == sum(len(works) for works in self.accepted.values())
        assert (stats.queued, stats.running, stats.unrouted) == (0, 0, 0)
        for name, of in stats.agent_types.items():
            ends, begun = Counter(self.ends[name].values()), self.begun[name]
            assert of.accepted == of.ended == len(self.accepted[name])
            found = {kind: getattr(of, kind) for kind in ("handled", "failed", "cancelled")}
            assert found == {kind: ends[kind] for kind in found}, name
            waited = self.accepted[name].keys() - begun
            assert of.dropped + of.expired == len(waited) + ends["expired"], name
            assert of.dropped >= len(self.full[name])
            if name not in LIMITED:
                assert of.dropped == 0, name
            assert of.retried == self.calls[name] - len(begun)
            assert of.waiting_time.count == of.handling_time.count == len(begun)


def now() -> float:
    return asyncio.get_running_loop().time()


@given(seed=st.integers(0, 2**32), plain_tasks=st.booleans())
@examples(60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_statistics_agree_with_a_ledger(seed: int, plain_tasks: bool) -> None:
    async def main() -> None:
        random = Random(seed)
        runtime = SingleThreadedAgentRuntime(task_mode=plain_tasks)
        ledger = Ledger(random, runtime)
        for name, options in OPTIONS.items():
            await register(runtime, name, ledger.handle)
            runtime.set_agent_options(name, options)
            await runtime.add_subscription(TypeSubscription("all", name))
        async with runtime:
            sends = []
            for _ in range(random.randrange(1, 60)):
                kind = random.randrange(6)
                if kind == 0:
                    await ledger.publish(runtime, 1)
                elif kind == 1:
                    await asyncio.sleep(random.choice((0, 0, 0.1, 2)))
                else:
                    timeout = random.choice((None, None, 0.3, 1.5))
                    sends.append(asyncio.ensure_future(ledger.send(runtime, 0, 2, timeout, None)))
                ledger.check()
            await asyncio.gather(*sends, return_exceptions=True)
            await runtime.stop_when_idle()
            ledger.check_end()

    VirtualClock().run(main())
