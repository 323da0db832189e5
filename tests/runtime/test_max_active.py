"""max_active: the idle agents that were used least recently are passivated."""

from __future__ import annotations

import asyncio
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
    agent_options,
    rpc,
)
from ferrogen.exceptions import AgentStoppedError, StateStoreError
from ferrogen.testing import run

from .sleepers import A, Add, B, Book, C, Counter, FailingStore, Hold, add, in_memory, started


async def soon() -> None:
    """Let what is due happen."""
    await asyncio.sleep(0.001)


def test_the_least_recently_used_idle_agent_is_passivated() -> None:
    async def main() -> None:
        runtime, _ = await started(InMemoryStateStore(), max_active=2)
        await add(runtime, A, B, A, C)
        await soon()
        assert in_memory(runtime) == ["a", "c"]
        assert await add(runtime, B) == [2]
        await soon()
        assert in_memory(runtime) == ["b", "c"]
        assert await add(runtime, A, B, C) == [3, 3, 2]
        await runtime.close()

    run(main())


def test_busy_agents_are_never_passivated() -> None:
    async def main() -> None:
        runtime, book = await started(InMemoryStateStore(), max_active=1, order="sequential")
        holding = asyncio.ensure_future(runtime.send_message(Hold(), A))
        queued = asyncio.ensure_future(runtime.send_message(Add(), A))
        await soon()
        other = asyncio.ensure_future(runtime.send_message(Hold(), B))
        await add(runtime, C)
        await soon()
        assert in_memory(runtime) == ["a", "b"], "the idle one is one too many"
        book.gate.set()
        assert await asyncio.gather(holding, queued, other) == [0, 1, 0]
        await soon()
        assert len(in_memory(runtime)) == 1
        assert len(book.of("close")) == 2
        await runtime.close()

    run(main())


def test_each_key_keeps_its_count_under_load() -> None:
    async def main() -> None:
        runtime, book = await started(InMemoryStateStore(), max_active=3)
        keys = [AgentId("counter", str(number)) for number in range(10)]
        for expected in range(1, 6):
            sends = [runtime.send_message(Add(), key) for key in keys for _ in range(2)]
            totals = await asyncio.gather(*sends)
            assert sorted(totals) == sorted([2 * expected - 1, 2 * expected] * 10)
            await soon()
            assert len(in_memory(runtime)) == 3
        assert book.built == len(book.of("close")) + 3
        await runtime.close()

    run(main())


def test_options_that_are_set_later_apply_to_the_agents_that_exist() -> None:
    async def main() -> None:
        runtime, _ = await started(passivate_after=1000)
        await add(runtime, A, B, C)
        runtime.set_agent_options("counter", AgentOptions(max_active=1))
        await soon()
        assert in_memory(runtime) == ["c"]
        await runtime.close()

    run(main())


def test_both_options_apply() -> None:
    async def main() -> None:
        runtime, _ = await started(InMemoryStateStore(), max_active=2, passivate_after=10)
        await add(runtime, A, B, C)
        await asyncio.sleep(5)
        assert in_memory(runtime) == ["b", "c"]
        await add(runtime, B)
        await asyncio.sleep(6)
        assert in_memory(runtime) == ["b"]
        await asyncio.sleep(6)
        assert in_memory(runtime) == []
        assert await add(runtime, A) == [2]
        await runtime.close()

    run(main())


def test_agents_that_cannot_be_saved_are_tried_again_and_lose_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        store = FailingStore()
        store.failing["save"] = 1_000_000
        runtime, _ = await started(store, max_active=1)
        assert await add(runtime, A, B, C) == [1, 1, 1]
        await soon()
        assert in_memory(runtime) == ["a", "b", "c"]
        attempts = len(store.calls)
        assert await add(runtime, A, B, C) == [2, 2, 2]
        await asyncio.sleep(100)
        assert len(store.calls) < attempts + 30, "not again and again at once"
        store.failing["save"] = 0
        await asyncio.sleep(100)
        assert len(in_memory(runtime)) == 1
        assert await add(runtime, A, B, C) == [3, 3, 3]
        await runtime.close()

    run(main())
    assert len([one for one in caplog.records if one.levelname == "ERROR"]) == 3


def test_agents_are_evicted_while_messages_are_taken_by_hand() -> None:
    async def main() -> None:
        book = Book()
        runtime = SingleThreadedAgentRuntime(state_store=InMemoryStateStore())
        await Counter.register(runtime, "counter", lambda: Counter(book))
        runtime.set_agent_options("counter", AgentOptions(max_active=1))
        for expected in (1, 2):
            for agent in (A, B, C):
                sent = asyncio.ensure_future(runtime.send_message(Add(), agent))
                while not sent.done():
                    _ = await asyncio.wait(
                        {sent, asyncio.ensure_future(runtime.process_next())}, timeout=1
                    )
                assert await sent == expected
        await soon()
        assert in_memory(runtime) == ["c"]
        await runtime.close()

    run(main())


def test_a_failed_build_is_not_counted() -> None:
    async def main() -> None:
        store = FailingStore()
        runtime, _ = await started(store, max_active=2)
        await add(runtime, A, B)
        store.failing["load"] = 5
        for number in range(5):
            with pytest.raises(StateStoreError):
                await runtime.send_message(Add(), AgentId("counter", f"failing {number}"))
        await soon()
        assert len(in_memory(runtime)) <= 2
        await add(runtime, A, B)
        await soon()
        assert in_memory(runtime) == ["a", "b"]
        await runtime.close()

    run(main())


def test_a_stopped_agent_stays_stopped() -> None:
    @agent_options(max_active=1, supervision=Supervision(on_failure="stop"))
    class Failing(RoutedAgent):
        @rpc
        async def on_add(self, message: Add, ctx: MessageContext) -> int:
            if message.number < 0:
                raise KeyError(message.number)
            return message.number

    async def main() -> None:
        runtime = SingleThreadedAgentRuntime()
        await Failing.register(runtime, "failing", lambda: Failing("fails"))
        runtime.start()
        bad, good = AgentId("failing", "bad"), AgentId("failing", "good")
        with pytest.raises(KeyError):
            await runtime.send_message(Add(-1), bad)
        for _ in range(3):
            assert await runtime.send_message(Add(), good) == 1
            await soon()
            with pytest.raises(AgentStoppedError):
                await runtime.send_message(Add(), bad)
        await runtime.close()

    run(main())


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "1", float("nan")])
def test_a_wrong_number_is_refused(wrong: Any) -> None:
    expected = "max_active must be a whole number of at least 1, or None for no limit; got"
    with pytest.raises(ValueError, match=expected) as caught:
        AgentOptions(max_active=wrong)
    assert repr(wrong) in str(caught.value)
    with pytest.raises(ValueError, match=expected):
        agent_options(max_active=wrong)


async def test_registered_instances_are_not_limited() -> None:
    runtime = SingleThreadedAgentRuntime()
    await Counter(Book()).register_instance(runtime, A)
    with pytest.raises(ValueError, match='max_active must be None for agent type "counter"'):
        runtime.set_agent_options("counter", AgentOptions(max_active=10))
    other = SingleThreadedAgentRuntime()
    other.set_agent_options("counter", AgentOptions(max_active=10))
    with pytest.raises(ValueError, match="as instances; got 10"):
        await Counter(Book()).register_instance(other, A)
