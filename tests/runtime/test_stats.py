"""Statistics: what becomes of messages, by agent type, and how long they wait and are handled."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    AgentTypeStats,
    CancellationToken,
    CircuitBreaker,
    DefaultInterventionHandler,
    DropMessage,
    MessageCounts,
    RetryPolicy,
    RuntimeStats,
    SingleThreadedAgentRuntime,
    Supervision,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import (
    CircuitOpenError,
    DeadlineExceededError,
    MailboxFullError,
    MessageDroppedException,
    RecipientNotFoundError,
    RuntimeStoppedError,
)
from ferrogen.testing import VirtualClock

from .function_agents import Doing, Gate, boom, register, until, until_idle

Runtime = SingleThreadedAgentRuntime

NAMES = ("queued", "running", "handled", "failed", "cancelled", "expired", "dropped")


def counts(stats: MessageCounts, *more: str) -> dict[str, int]:
    """The numbers that are not 0."""
    found = {name: getattr(stats, name) for name in (*NAMES, *more)}
    return {name: number for name, number in found.items() if number}


def of(runtime: Runtime, name: str = "a", *more: str) -> dict[str, int]:
    return counts(runtime.stats().agent_types[name], *more)


async def outcomes(*sends: Coroutine[Any, Any, Any]) -> list[Any]:
    return [
        type(one) if isinstance(one, BaseException) else one
        for one in await asyncio.gather(*sends, return_exceptions=True)
    ]


async def sleep(agent: Doing, message: Any, ctx: Any) -> Any:
    await asyncio.sleep(message)
    return message


async def test_a_new_runtime_has_counted_nothing(runtime: Runtime) -> None:
    stats = runtime.stats()
    assert counts(stats) == {}
    assert dict(stats.agent_types) == {}
    assert (stats.accepted, stats.ended, stats.waiting_time.count) == (0, 0, 0)


async def test_a_snapshot_does_not_change(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    await runtime.send_message("x", a())
    stats = runtime.stats()
    await runtime.send_message("x", a())
    assert (stats.handled, stats.agent_types["a"].handled) == (1, 1)
    assert stats.handling_time.count == 1
    with pytest.raises(FrozenInstanceError):
        stats.handled = 3  # type: ignore[misc]
    with pytest.raises(TypeError):
        stats.agent_types["b"] = stats.agent_types["a"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        stats.handling_time.count = 3  # type: ignore[misc]


async def test_types_are_counted_apart_and_the_runtime_has_their_sums(runtime: Runtime) -> None:
    a, b = await register(runtime, "a"), await register(runtime, "b", boom)
    for key in ("1", "2", "3"):
        await runtime.send_message("x", a(key))
    await outcomes(runtime.send_message("x", b()))
    stats = runtime.stats()
    assert list(stats.agent_types) == ["a", "b"]
    assert counts(stats.agent_types["a"]) == {"handled": 3}
    assert counts(stats.agent_types["b"]) == {"failed": 1}
    assert counts(stats) == {"handled": 3, "failed": 1}
    assert stats.handling_time.count == 4


async def test_a_message_is_queued_then_running_then_handled() -> None:
    gate, runtime = Gate(), Runtime()
    a = await register(runtime, "a", gate)
    sent = asyncio.ensure_future(runtime.send_message("x", a()))
    await asyncio.sleep(0)
    assert of(runtime) == {"queued": 1}
    runtime.start()
    await gate.arrived.get()
    assert of(runtime) == {"running": 1}
    assert runtime.stats().waiting_time.count == 1
    assert runtime.stats().handling_time.count == 0
    gate.open.set()
    await sent
    assert of(runtime) == {"handled": 1}
    await runtime.close()


async def test_a_published_message_counts_once_until_it_is_routed_and_then_for_each_recipient() -> (
    None
):
    gate, runtime = Gate(), Runtime()
    for name in ("a", "b"):
        await register(runtime, name, gate)
        await runtime.add_subscription(TypeSubscription("t", name))
    await runtime.publish_message("x", TopicId("t", "s"))
    stats = runtime.stats()
    assert (counts(stats), stats.unrouted, dict(stats.agent_types)) == ({"queued": 1}, 1, {})
    runtime.start()
    _ = [await gate.arrived.get() for _ in "ab"]
    assert counts(runtime.stats(), "unrouted") == {"running": 2}
    gate.open.set()
    await runtime.stop_when_idle()
    assert counts(runtime.stats()) == {"handled": 2}


async def test_a_message_without_subscribers_was_dropped_and_belongs_to_no_type(
    runtime: Runtime,
) -> None:
    await runtime.publish_message("x", TopicId("nowhere", "s"))
    await until_idle(runtime)
    assert counts(runtime.stats()) == {"dropped": 1}
    assert dict(runtime.stats().agent_types) == {}


async def test_a_message_to_a_type_that_is_not_registered_was_not_accepted(
    runtime: Runtime,
) -> None:
    with pytest.raises(RecipientNotFoundError):
        await runtime.send_message("x", AgentId("unknown", "k"))
    assert runtime.stats().accepted == 0


async def test_agents_that_cannot_be_built_fail_their_messages(runtime: Runtime) -> None:
    def factory() -> Doing:
        raise ValueError("no agent")

    await Doing.register(runtime, "a", factory)
    assert await outcomes(runtime.send_message("x", AgentId("a", "k"))) == [ValueError]
    await runtime.publish_message("x", TopicId("a:", "k"))
    await until_idle(runtime)
    assert of(runtime).get("failed", 0) >= 1
    assert set(of(runtime)) == {"failed"}


async def test_calls_between_agents_are_messages_of_their_own(runtime: Runtime) -> None:
    b = await register(runtime, "b", boom)

    async def call(agent: Doing, message: Any, ctx: Any) -> Any:
        with pytest.raises(KeyError):
            await agent.send_message(message, b())
        return message

    a = await register(runtime, "a", call)
    await runtime.send_message("x", a())
    assert (of(runtime, "a"), of(runtime, "b")) == ({"handled": 1}, {"failed": 1})


@pytest.mark.parametrize("is_suspended", [False, True])
async def test_a_cancelled_handler(runtime: Runtime, is_suspended: bool) -> None:
    async def cancelled(agent: Doing, message: Any, ctx: Any) -> Any:
        if is_suspended:
            await asyncio.sleep(0)
        raise asyncio.CancelledError

    a = await register(runtime, "a", cancelled)
    assert await outcomes(runtime.send_message("x", a())) == [asyncio.CancelledError]
    await runtime.publish_message("x", TopicId("a:", "k"))
    await until_idle(runtime)
    assert of(runtime) == {"cancelled": 2}


async def test_a_sender_that_is_cancelled_does_not_end_the_handler(runtime: Runtime) -> None:
    gate, token = Gate(), CancellationToken()
    a = await register(runtime, "a", gate)
    sent = asyncio.ensure_future(runtime.send_message("x", a(), cancellation_token=token))
    await gate.arrived.get()
    sent.cancel()
    await asyncio.sleep(0)
    assert of(runtime) == {"running": 1}
    gate.open.set()
    await until_idle(runtime)
    assert of(runtime) == {"handled": 1}


@pytest.mark.parametrize("overflow", ["reject", "drop_newest", "drop_oldest"])
async def test_messages_to_a_full_mailbox_were_dropped(runtime: Runtime, overflow: Any) -> None:
    gate = Gate()
    a = await register(runtime, "a", gate)
    options = AgentOptions(order="sequential", capacity=1, overflow=overflow)
    runtime.set_agent_options("a", options)
    first = asyncio.ensure_future(runtime.send_message("x", a()))
    await gate.arrived.get()
    others = [asyncio.ensure_future(runtime.send_message("x", a())) for _ in range(3)]
    await until(lambda: of(runtime).get("dropped") == 2)
    assert of(runtime) == {"queued": 1, "running": 1, "dropped": 2}
    gate.open.set()
    found = await outcomes(*others)
    assert found.count(MailboxFullError) == 2
    assert await first == "x"
    assert of(runtime) == {"handled": 2, "dropped": 2}


async def test_messages_that_a_stopped_runtime_has_not_begun_were_dropped() -> None:
    runtime = Runtime()
    a = await register(runtime, "a")
    sent = asyncio.ensure_future(runtime.send_message("x", a()))
    await runtime.publish_message("x", TopicId("t", "s"))
    await asyncio.sleep(0)
    await runtime.close()
    assert await outcomes(sent) == [RuntimeStoppedError]  # type: ignore[arg-type]
    assert of(runtime) == {"dropped": 1}
    assert counts(runtime.stats()) == {"dropped": 2}


class Drop(DefaultInterventionHandler):
    async def on_send(self, message: Any, *, message_context: Any, recipient: AgentId) -> Any:
        return DropMessage if message == "drop" else message

    async def on_publish(self, message: Any, *, message_context: Any) -> Any:
        return DropMessage

    async def on_response(self, message: Any, *, sender: AgentId, recipient: Any) -> Any:
        return DropMessage if message == "no response" else message


async def test_messages_that_an_intervention_handler_drops() -> None:
    runtime = Runtime(intervention_handlers=[Drop()])
    a = await register(runtime, "a")
    runtime.start()
    sends = [runtime.send_message(one, a()) for one in ("drop", "keep", "no response")]
    dropped = MessageDroppedException
    assert await outcomes(*sends) == [dropped, "keep", dropped]
    await runtime.publish_message("x", TopicId("a:", "k"))
    await runtime.stop_when_idle()
    # A message whose response was dropped was handled.
    assert of(runtime) == {"handled": 2, "dropped": 1}
    assert counts(runtime.stats()) == {"handled": 2, "dropped": 2}


async def test_attempts_after_the_first_are_retries(runtime: Runtime) -> None:
    tries = 0

    async def third_time(agent: Doing, message: Any, ctx: Any) -> Any:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise ValueError(tries)
        return tries

    a = await register(runtime, "a", third_time)
    runtime.set_agent_options("a", AgentOptions(retry=RetryPolicy(attempts=3, initial_delay=0.001)))
    assert await runtime.send_message("x", a()) == 3
    assert of(runtime, "a", "retried") == {"handled": 1, "retried": 2}
    assert runtime.stats().retried == 2
    assert runtime.stats().handling_time.count == 1


async def test_a_new_instance_is_a_restart(runtime: Runtime) -> None:
    a = await register(runtime, "a", boom)
    runtime.set_agent_options("a", AgentOptions(supervision=Supervision(on_failure="restart")))
    for _ in range(2):
        await outcomes(runtime.send_message("x", a()))
    await until(lambda: runtime.stats().restarted == 2)
    assert of(runtime, "a", "restarted") == {"failed": 2, "restarted": 2}


async def test_messages_that_an_open_circuit_breaker_rejects_were_dropped(
    runtime: Runtime,
) -> None:
    a = await register(runtime, "a", boom)
    breaker = CircuitBreaker(failures=1, reset_after=60)
    runtime.set_agent_options("a", AgentOptions(circuit_breaker=breaker))
    found = [*await outcomes(runtime.send_message("x", a()))]
    found += await outcomes(runtime.send_message("x", a()))
    assert found == [KeyError, CircuitOpenError]
    assert of(runtime) == {"failed": 1, "dropped": 1}


async def test_messages_to_a_stopped_agent_were_dropped(runtime: Runtime) -> None:
    a = await register(runtime, "a", boom)
    runtime.set_agent_options("a", AgentOptions(supervision=Supervision(on_failure="stop")))
    for _ in range(3):
        await outcomes(runtime.send_message("x", a()))
    assert of(runtime) == {"failed": 1, "dropped": 2}


def test_waiting_and_handling_times_of_a_sequential_agent() -> None:
    async def main() -> None:
        runtime = Runtime()
        a = await register(runtime, "a", sleep)
        runtime.set_agent_options("a", AgentOptions(order="sequential"))
        async with runtime:
            await asyncio.gather(*(runtime.send_message(2, a()) for _ in range(3)))
        stats = runtime.stats().agent_types["a"]
        waiting, handling = stats.waiting_time, stats.handling_time
        assert (waiting.count, handling.count) == (3, 3)
        assert waiting.p50 == pytest.approx(2, rel=1 / 64)
        assert (waiting.percentile(0), waiting.max, waiting.p99) == (0, 4, 4)
        assert waiting.mean == pytest.approx(2)
        assert (handling.p50, handling.p90, handling.max, handling.mean) == (2, 2, 2, 2)
        assert handling.total == 6

    VirtualClock().run(main())


def test_published_messages_wait_from_their_publication() -> None:
    async def main() -> None:
        runtime = Runtime()
        await register(runtime, "a", sleep)
        await runtime.add_subscription(TypeSubscription("t", "a"))
        await runtime.publish_message(1, TopicId("t", "s"))
        await asyncio.sleep(3)
        async with runtime:
            pass
        stats = runtime.stats()
        assert (stats.waiting_time.max, stats.handling_time.max) == (3, 1)

    VirtualClock().run(main())


def test_retries_and_nested_calls_are_part_of_the_handling_time() -> None:
    async def main() -> None:
        runtime = Runtime()
        b = await register(runtime, "b", sleep)

        async def call(agent: Doing, message: Any, ctx: Any) -> Any:
            await agent.send_message(5, b())
            raise ValueError

        a = await register(runtime, "a", call)
        retry = RetryPolicy(attempts=2, initial_delay=1, jitter="none")
        runtime.set_agent_options("a", AgentOptions(retry=retry))
        async with runtime:
            await outcomes(runtime.send_message("x", a()))
        stats = runtime.stats().agent_types
        assert (stats["a"].handling_time.max, stats["b"].handling_time.max) == (11, 5)
        assert (stats["a"].handling_time.count, stats["b"].handling_time.count) == (1, 2)

    VirtualClock().run(main())


@pytest.mark.parametrize("publishes", [False, True])
def test_messages_expire_in_a_queue_and_while_they_are_handled(publishes: bool) -> None:
    async def main() -> None:
        runtime = Runtime()
        a = await register(runtime, "a", sleep)
        await runtime.add_subscription(TypeSubscription("t", "a"))
        runtime.set_agent_options("a", AgentOptions(order="sequential"))
        async with runtime:
            if publishes:
                for _ in range(2):
                    await runtime.publish_message(10, TopicId("t", "default"), timeout=4)
                await runtime.stop_when_idle()
            else:
                sends = (runtime.send_message(10, a(), timeout=4) for _ in range(2))
                assert await outcomes(*sends) == [DeadlineExceededError] * 2
        stats = runtime.stats().agent_types["a"]
        assert counts(stats) == {"expired": 2}
        # One of them was begun.
        assert (stats.handling_time.count, stats.handling_time.max) == (1, 4)

    VirtualClock().run(main())


def test_a_message_expires_with_the_one_that_it_awaits() -> None:
    async def main() -> None:
        runtime = Runtime()
        b = await register(runtime, "b", sleep)

        async def call(agent: Doing, message: Any, ctx: Any) -> Any:
            return await agent.send_message(10, b())

        a = await register(runtime, "a", call)
        async with runtime:
            sent = runtime.send_message("x", a(), timeout=1)
            assert await outcomes(sent) == [DeadlineExceededError]
        assert (of(runtime, "a"), of(runtime, "b")) == ({"expired": 1}, {"expired": 1})

    VirtualClock().run(main())


def test_messages_expire_before_they_are_routed() -> None:
    async def main() -> None:
        runtime = Runtime()
        a = await register(runtime, "a")
        sent = asyncio.ensure_future(runtime.send_message("x", a(), timeout=1))
        await runtime.publish_message("x", TopicId("a:", "k"), timeout=1)
        await asyncio.sleep(2)
        async with runtime:
            assert await outcomes(sent) == [DeadlineExceededError]  # type: ignore[arg-type]
        assert of(runtime) == {"expired": 1}
        assert counts(runtime.stats()) == {"expired": 2}

    VirtualClock().run(main())


def test_time_does_not_jump_when_the_runtime_moves_to_another_event_loop() -> None:
    runtime = Runtime()

    async def use(seconds: float) -> None:
        a = await register(runtime, "a", sleep) if seconds == 0 else lambda: AgentId("a", "default")
        runtime.start()
        await runtime.send_message(seconds, a())
        await runtime.stop()

    asyncio.run(use(0))
    VirtualClock().run(use(7))
    asyncio.run(use(0.001))
    times = runtime.stats().handling_time
    assert times.count == 3
    assert times.max == pytest.approx(7)
    assert times.total < 8


async def test_task_mode_counts_the_same() -> None:
    runtime = Runtime(task_mode=True)
    gate = Gate()
    a, b = await register(runtime, "a"), await register(runtime, "b", boom)
    c = await register(runtime, "c", gate)
    runtime.start()
    sends = [runtime.send_message("x", to) for to in (a(), b(), a("2"))]
    assert await outcomes(*sends) == ["x", KeyError, "x"]
    held = asyncio.ensure_future(runtime.send_message("x", c()))
    await gate.arrived.get()
    assert [of(runtime, name) for name in "abc"] == [{"handled": 2}, {"failed": 1}, {"running": 1}]
    await runtime.close()
    assert await outcomes(held) == [asyncio.CancelledError]  # type: ignore[arg-type]
    assert of(runtime, "c") == {"cancelled": 1}


async def test_statistics_stay_when_all_agents_of_a_type_are_passivated() -> None:
    def main() -> Coroutine[Any, Any, None]:
        async def work() -> None:
            runtime = Runtime()
            a, b = await register(runtime, "a"), await register(runtime, "b")
            runtime.set_agent_options("a", AgentOptions(passivate_after=1))
            async with runtime:
                await runtime.send_message("x", a())
                await asyncio.sleep(5)
                assert runtime.agents() == ()
                await runtime.send_message("x", b())
                assert (of(runtime, "a"), of(runtime, "b")) == ({"handled": 1}, {"handled": 1})

        return work()

    await asyncio.to_thread(lambda: VirtualClock().run(main()))


async def test_without_times_messages_are_only_counted() -> None:
    runtime = Runtime(stats="counts")
    a = await register(runtime, "a")
    async with runtime:
        await runtime.send_message("x", a())
    stats = runtime.stats()
    assert counts(stats) == {"handled": 1}
    assert (stats.waiting_time.count, stats.handling_time.count, stats.handling_time.p50) == (
        0,
        0,
        0,
    )


def test_other_modes_are_refused() -> None:
    with pytest.raises(ValueError, match='stats must be "full" or "counts"; got \'off\''):
        Runtime(stats="off")  # type: ignore[arg-type]


@pytest.mark.parametrize("percent", [-1, 100.5, float("nan")])
async def test_percentiles_out_of_range_are_refused(runtime: Runtime, percent: float) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        runtime.stats().waiting_time.percentile(percent)


async def test_everything_can_be_written_as_json(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    await runtime.send_message("x", a())
    found = runtime.stats().to_dict()
    assert found["accepted"] == found["agent_types"]["a"]["handled"] == 1
    times = found["agent_types"]["a"]["handling_time"]
    assert list(times) == ["count", "mean", "p50", "p90", "p99", "max"]
    assert found["agent_types"]["a"]["name"] == "a"


def test_the_classes_are_public() -> None:
    assert issubclass(RuntimeStats, MessageCounts)
    assert issubclass(AgentTypeStats, MessageCounts)
