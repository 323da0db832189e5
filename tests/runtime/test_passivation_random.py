"""Random programs: passivation, failing stores, failing and restarted agents, cancelled senders.

No message is lost or handled twice, and no count of an agent is lost, as long as each failure of an
agent comes before it counts.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    InMemoryStateStore,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    Supervision,
    TopicId,
    TypeSubscription,
    event,
    rpc,
)
from ferrogen.exceptions import AgentStoppedError, FerrogenError, StateStoreError
from ferrogen.testing import run

from ..random_examples import IN_SOAK

KEYS = 6


@dataclass
class Count:
    number: int
    fails: bool = False
    takes: float = 0.0


@dataclass
class Note:
    number: int


class Chaos:
    """What fails, at random; and what the agents have counted."""

    def __init__(self, random: Random, *, is_alone: bool = True) -> None:
        self.random = random
        self.is_alone = is_alone
        """Whether no handler keeps an instance that is replaced."""
        self.rate = 0.15
        self.counted: Tally[int] = Tally()
        self.alive: Tally[str] = Tally()

    async def maybe_fail(self, what: str) -> None:
        if self.random.random() < 0.5:
            await asyncio.sleep(self.random.choice([0, 0.001, 0.3]))
        if self.random.random() < self.rate:
            raise OSError(what)


class UnreliableStore(InMemoryStateStore):
    def __init__(self, chaos: Chaos) -> None:
        super().__init__()
        self.chaos = chaos

    async def load(self, agent_id: AgentId) -> Mapping[str, Any] | None:
        await self.chaos.maybe_fail("load")
        return await super().load(agent_id)

    async def save(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        await self.chaos.maybe_fail("save")
        await super().save(agent_id, state)


class Worker(RoutedAgent):
    def __init__(self, chaos: Chaos) -> None:
        super().__init__("counts")
        self.chaos = chaos
        self.numbers: list[int] = []
        self.is_closing = False

    async def on_activate(self) -> None:
        await self.chaos.maybe_fail("on_activate")
        self.chaos.alive[self.id.key] += 1
        if self.chaos.is_alone:
            assert self.chaos.alive[self.id.key] == 1, "one instance at a time"

    async def on_deactivate(self) -> None:
        self.is_closing = True
        self.chaos.alive[self.id.key] -= 1
        await self.chaos.maybe_fail("on_deactivate")

    async def save_state(self) -> Mapping[str, Any]:
        await self.chaos.maybe_fail("save_state")
        return {"numbers": list(self.numbers)} if self.numbers else {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        await self.chaos.maybe_fail("load_state")
        self.numbers = list(state["numbers"])

    async def close(self) -> None:
        await self.chaos.maybe_fail("close")

    def count(self, number: int) -> None:
        assert not self.is_closing, "no message reaches an instance that is being closed"
        self.numbers.append(number)
        self.chaos.counted[number] += 1

    @rpc
    async def on_count(self, message: Count, ctx: MessageContext) -> int:
        if message.takes:
            await asyncio.sleep(message.takes)
        if message.fails:
            raise KeyError(message.number)
        self.count(message.number)
        return len(self.numbers)

    @event
    async def on_note(self, message: Note, ctx: MessageContext) -> None:
        self.count(message.number)


async def program(seed: int, options: AgentOptions) -> None:
    random = Random(seed)
    supervision = options.supervision
    chaos = Chaos(random, is_alone=supervision is None or options.order == "sequential")
    store = UnreliableStore(chaos)
    runtime = SingleThreadedAgentRuntime(state_store=store, dead_letter_capacity=10_000)
    await Worker.register(runtime, "worker", lambda: Worker(chaos))
    await runtime.add_subscription(TypeSubscription("notes", "worker"))
    runtime.set_agent_options("worker", options)
    runtime.start()
    sends: dict[int, asyncio.Task[Any]] = {}
    notes = set()
    for number in range(250):
        key = str(random.randrange(KEYS))
        draw = random.random()
        if draw < 0.6:
            message = Count(number, random.random() < 0.1, random.choice([0.0, 0.0, 0.05, 2.0]))
            timeout = random.choice([None, None, None, 1.0])
            send = runtime.send_message(message, AgentId("worker", key), timeout=timeout)
            sends[number] = asyncio.ensure_future(send)
        elif draw < 0.7:
            notes.add(number)
            await runtime.publish_message(Note(number), TopicId("notes", key))
        elif draw < 0.75 and sends:
            random.choice(list(sends.values())).cancel()
        elif draw < 0.78:
            with suppress(OSError, StateStoreError):
                await asyncio.wait_for(runtime.save_state(), 100)
        else:
            await asyncio.sleep(random.choice([0, 0.01, 0.2, 3, 30]))
    chaos.rate = 0.0
    await asyncio.wait_for(asyncio.gather(*sends.values(), return_exceptions=True), 1000)
    await asyncio.wait_for(runtime.stop_when_idle(), 1000)
    check_outcomes(runtime, chaos, sends, notes)
    state = await runtime.save_state()
    kept = [number for one in state.values() for number in one.get("numbers", [])]
    assert len(kept) == len(set(kept)), "nothing is handled twice"
    if chaos.is_alone:
        assert set(kept) == set(chaos.counted), "no count is lost"
    await runtime.close()
    assert not +chaos.alive, "every instance was deactivated"
    assert not [one for one in asyncio.all_tasks() if one is not asyncio.current_task()]
    tally = runtime._engine.tally()
    assert 2 * tally["accepted"] == sum(tally.values())


def check_outcomes(
    runtime: SingleThreadedAgentRuntime,
    chaos: Chaos,
    sends: dict[int, asyncio.Task[Any]],
    notes: set[int],
) -> None:
    for number, send in sends.items():
        if send.cancelled():
            continue
        error = send.exception()
        if error is None:
            assert chaos.counted[number] == 1
        else:
            assert isinstance(error, (KeyError, OSError, FerrogenError)), repr(error)
            if not isinstance(error, TimeoutError):
                assert chaos.counted[number] == 0, repr(error)
    dead = {letter.message.number for letter in runtime.dead_letters}
    for number in notes:
        assert (chaos.counted[number] == 1) != (number in dead)


STOPPABLE = Supervision(on_failure="stop")
RESTART = Supervision(on_failure="restart", max_restarts=1000, keep_state=True)
FORGET = Supervision(on_failure="restart", max_restarts=1000)

OPTIONS = {
    "idle": AgentOptions(passivate_after=1),
    "limited": AgentOptions(max_active=2),
    "both, sequential": AgentOptions(max_active=3, passivate_after=1, order="sequential"),
    "restarted": AgentOptions(max_active=2, passivate_after=1, supervision=RESTART),
    "restarted, sequential": AgentOptions(
        max_active=2, supervision=RESTART, order="sequential", capacity=3
    ),
    "restarted without state": AgentOptions(passivate_after=1, supervision=FORGET),
}


@pytest.mark.soak
@pytest.mark.parametrize("name", list(OPTIONS))
@pytest.mark.parametrize("seed", range(20 if IN_SOAK else 2))
def test_nothing_is_lost_and_nothing_is_handled_twice(name: str, seed: int) -> None:
    run(program(seed, OPTIONS[name]))


def test_stopped_agents_reject_their_messages() -> None:
    async def main() -> None:
        chaos = Chaos(Random(0))
        chaos.rate = 0.0
        runtime = SingleThreadedAgentRuntime(state_store=InMemoryStateStore())
        await Worker.register(runtime, "worker", lambda: Worker(chaos))
        runtime.set_agent_options("worker", AgentOptions(passivate_after=1, supervision=STOPPABLE))
        runtime.start()
        agent = AgentId("worker", "a")
        with pytest.raises(KeyError):
            await runtime.send_message(Count(1, fails=True), agent)
        for _ in range(3):
            await asyncio.sleep(5)
            with pytest.raises(AgentStoppedError):
                await runtime.send_message(Count(2), agent)
        await runtime.close()

    run(main())
