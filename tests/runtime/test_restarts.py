"""Restarts: a new instance takes the place of an agent that has failed; and stops."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    BaseAgent,
    DeadLetterCause,
    MessageContext,
    RetryPolicy,
    SingleThreadedAgentRuntime,
    Supervision,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import AgentStoppedError

from .function_agents import until, until_idle
from .stepped_time import SteppedTime

Runtime = SingleThreadedAgentRuntime
A = AgentId("a", "default")
T = TopicId("t", "default")
RESTART = Supervision(on_failure="restart")


class Worker(BaseAgent):
    """An agent that does what its message says, and notes what happens to it in a journal."""

    def __init__(self, shop: Shop) -> None:
        super().__init__("works")
        self.shop = shop
        shop.built += 1
        self.number = shop.built
        self.handled: list[str] = []
        if shop.failing_builds:
            shop.failing_builds -= 1
            raise OSError(f"build {self.number} failed")

    def note(self, what: str) -> None:
        self.shop.journal.append(f"{self.number} {what}")

    async def on_message_impl(self, message: str, ctx: MessageContext) -> int:
        self.note(message)
        self.handled.append(message)
        if message.startswith("wait"):
            await self.shop.gate.wait()
        if message.endswith("fail"):
            raise KeyError(message)
        return self.number

    async def save_state(self) -> dict[str, Any]:
        return {"handled": self.handled}

    async def load_state(self, state: Any) -> None:
        self.handled = list(state["handled"])
        self.note(f"loaded {len(self.handled)}")

    async def on_activate(self) -> None:
        self.note("activated")
        await self.shop.activation.wait()

    async def on_restart(self, error: BaseException) -> None:
        self.note(f"replaces one with {error!r}")
        if self.shop.failing_restarts:
            self.shop.failing_restarts -= 1
            raise OSError("cannot be restarted")

    async def on_deactivate(self) -> None:
        self.note("deactivated")

    async def close(self) -> None:
        self.note("closed")


class Shop:
    """Where workers are built, and their journal."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.journal: list[str] = []
        self.gate = asyncio.Event()
        self.activation = asyncio.Event()
        self.activation.set()
        self.built = 0
        self.failing_builds = 0
        self.failing_restarts = 0

    async def register(self, supervision: Supervision = RESTART, **options: Any) -> None:
        await Worker.register(self.runtime, "a", lambda: Worker(self))
        await self.runtime.add_subscription(TypeSubscription("t", "a"))
        self.runtime.set_agent_options("a", AgentOptions(supervision=supervision, **options))

    def send(self, message: str) -> asyncio.Future[Any]:
        return asyncio.ensure_future(self.runtime.send_message(message, A))

    async def fail(self) -> None:
        with pytest.raises(KeyError):
            await self.send("fail")

    async def queue_during_restart(self, *texts: str) -> None:
        """Restart an agent that has handled "x", and publish these before it is activated."""
        await self.register()
        await self.send("x")
        self.activation.clear()
        await self.fail()
        for text in texts:
            await self.runtime.publish_message(text, T)
        await until(lambda: "2 activated" in self.journal)

    def take(self) -> list[str]:
        journal, self.journal = self.journal, []
        return journal


@pytest.fixture
async def shop(runtime: Runtime) -> AsyncIterator[Shop]:
    shop = Shop(runtime)
    yield shop
    shop.gate.set()


async def test_the_instance_is_closed_and_another_one_handles_the_next_message(
    shop: Shop,
) -> None:
    await shop.register()
    assert await shop.send("x") == 1
    await shop.fail()
    assert await shop.send("y") == 2
    assert shop.take() == [
        "1 activated",
        "1 x",
        "1 fail",
        "1 deactivated",
        "1 closed",
        "2 activated",
        "2 replaces one with KeyError('fail')",
        "2 y",
    ]


async def test_a_published_message_restarts_its_handler_too(shop: Shop, runtime: Runtime) -> None:
    await shop.register()
    await runtime.publish_message("fail", T)
    await until_idle(runtime)
    assert await shop.send("y") == 2
    assert [one.message for one in runtime.dead_letters] == ["fail"]


async def test_queued_messages_are_kept_in_their_order(shop: Shop, runtime: Runtime) -> None:
    await shop.register(concurrency=1)
    sending = [shop.send(text) for text in ("fail", "a", "b", "c")]
    await asyncio.sleep(0)
    await runtime.publish_message("d", T)
    results = await asyncio.gather(*sending, return_exceptions=True)
    await until_idle(runtime)
    assert isinstance(results[0], KeyError)
    assert results[1:] == [2, 2, 2]
    handled = [one for one in shop.take() if len(one) == 3]
    assert handled == ["2 a", "2 b", "2 c", "2 d"]


async def test_messages_do_not_overtake_those_that_wait_for_the_restart(
    shop: Shop, runtime: Runtime
) -> None:
    await shop.register()
    await shop.fail()
    texts = [chr(ord("a") + number) for number in range(10)]
    for text in texts:
        await runtime.publish_message(text, T)
        await asyncio.sleep(0)
    await until_idle(runtime)
    assert [one[2:] for one in shop.take() if one.startswith("2 ") and len(one) == 3] == texts


async def test_a_message_that_comes_when_the_restart_ends_does_not_overtake(
    shop: Shop, runtime: Runtime
) -> None:
    await shop.queue_during_restart("a", "b")

    async def send_late() -> None:
        await shop.activation.wait()
        await runtime.send_message("c", A)

    late = asyncio.ensure_future(send_late())
    for _ in range(10):
        await asyncio.sleep(0)
    shop.activation.set()
    await late
    assert [one for one in shop.take() if len(one) == 3] == ["1 x", "2 a", "2 b", "2 c"]


async def test_waiting_messages_wait_again_if_the_first_of_them_fails(
    shop: Shop, runtime: Runtime
) -> None:
    await shop.queue_during_restart("fail", "a", "b")
    for _ in range(10):
        await asyncio.sleep(0)
    shop.activation.set()
    await until_idle(runtime)
    assert [one for one in shop.take() if len(one) == 3] == ["1 x", "3 a", "3 b"]


async def test_handlers_that_are_running_keep_their_instance_until_they_end(shop: Shop) -> None:
    await shop.register()
    waiting = shop.send("wait")
    await until(lambda: "1 wait" in shop.journal)
    await shop.fail()
    assert await shop.send("y") == 2
    assert "1 closed" not in shop.journal
    shop.gate.set()
    assert await waiting == 1
    await until(lambda: "1 closed" in shop.journal)
    assert shop.journal.count("1 closed") == 1


async def test_a_failure_of_the_former_instance_does_not_restart_the_new_one(shop: Shop) -> None:
    await shop.register()
    waiting = shop.send("wait and fail")
    await until(lambda: "1 wait and fail" in shop.journal)
    await shop.fail()
    assert await shop.send("y") == 2
    shop.gate.set()
    with pytest.raises(KeyError):
        await waiting
    assert await shop.send("z") == 2


@pytest.mark.parametrize("keep_state", [False, True])
async def test_the_state_is_carried_over_or_not(shop: Shop, keep_state: bool) -> None:
    await shop.register(Supervision(on_failure="restart", keep_state=keep_state))
    await shop.send("x")
    await shop.fail()
    await shop.send("y")
    state = await shop.runtime.agent_save_state(A)
    assert state == {"handled": ["x", "fail", "y"] if keep_state else ["y"]}
    if keep_state:
        assert shop.journal[5:8] == [
            "2 activated",
            "2 loaded 2",
            "2 replaces one with KeyError('fail')",
        ]


async def test_the_new_instance_is_the_agent_for_the_runtime(shop: Shop, runtime: Runtime) -> None:
    await shop.register()
    await shop.fail()
    agent = await runtime.try_get_underlying_agent_instance(A, Worker)
    assert agent.number == 2
    assert await runtime.save_state() == {"a/default": {"handled": []}}
    shop.take()
    await runtime.close()
    assert shop.take() == ["2 deactivated", "2 closed"]


async def test_an_agent_that_fails_too_often_is_stopped(
    shop: Shop, runtime: Runtime, clock: SteppedTime
) -> None:
    await shop.register(Supervision(on_failure="restart", max_restarts=2, within=60.0))
    for _ in range(2):
        await shop.fail()
        await clock.settle()
    await clock.advance(61)
    for _ in range(2):
        await shop.fail()
        await clock.settle()
    assert await shop.send("x") == 5
    await shop.fail()
    with pytest.raises(AgentStoppedError, match=r"agent a/default is stopped, .* KeyError\('fail'"):
        await shop.send("y")
    assert shop.built == 5
    assert runtime.dead_letters[-1].cause is DeadLetterCause.AGENT_STOPPED
    assert runtime.dead_letters[-1].message == "y"


async def test_only_the_last_attempt_restarts(shop: Shop) -> None:
    await shop.register(retry=RetryPolicy(attempts=3, initial_delay=0))
    await shop.fail()
    assert await shop.send("y") == 2
    assert shop.journal.count("1 fail") == 3


async def test_an_agent_that_cannot_be_built_is_built_again(shop: Shop) -> None:
    await shop.register()
    shop.failing_builds = 2
    assert await shop.send("x") == 3
    await shop.fail()
    await shop.fail()
    with pytest.raises(AgentStoppedError):  # 2 failed builds and 2 failures are one too many
        await shop.send("y")
    assert shop.built == 4


async def test_an_agent_that_can_never_be_built_is_stopped(shop: Shop, runtime: Runtime) -> None:
    await shop.register(Supervision(on_failure="restart", max_restarts=2))
    shop.failing_builds = 9
    with pytest.raises(OSError, match="build 3 failed"):
        await shop.send("x")
    with pytest.raises(AgentStoppedError, match="build 3 failed"):
        await shop.send("y")
    await runtime.publish_message("z", T)
    await until_idle(runtime)
    assert shop.built == 3
    assert [(one.message, one.cause.value) for one in runtime.dead_letters] == [
        ("y", "agent_stopped"),
        ("z", "agent_stopped"),
    ]
    assert runtime.stats().dropped == 2


async def test_a_restart_that_fails_is_repeated(shop: Shop) -> None:
    await shop.register()
    shop.failing_restarts = 1
    await shop.fail()
    assert await shop.send("y") == 3
    assert shop.take()[3:] == [
        "1 closed",
        "2 activated",
        "2 replaces one with KeyError('fail')",
        "2 deactivated",
        "2 closed",
        "3 activated",
        "3 replaces one with KeyError('fail')",
        "3 y",
    ]


async def test_restarts_are_logged(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    await shop.register(Supervision(on_failure="restart", max_restarts=1))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            await shop.fail()
    assert [one.getMessage() for one in caplog.records] == [
        "agent a/default is restarted after KeyError('fail')",
        "agent a/default is stopped after KeyError('fail')",
    ]


async def test_a_stopped_agent_is_closed_and_its_messages_are_dead_letters(
    shop: Shop, runtime: Runtime
) -> None:
    await shop.register(Supervision(on_failure="stop"), concurrency=1)
    sending = [shop.send(text) for text in ("wait and fail", "queued")]
    await until(lambda: "1 wait and fail" in shop.journal)
    await runtime.publish_message("published", T)
    await asyncio.sleep(0)
    shop.gate.set()
    results = await asyncio.gather(*sending, return_exceptions=True)
    await until_idle(runtime)
    assert [type(one) for one in results] == [KeyError, AgentStoppedError]
    assert [(one.message, one.cause.value, one.recipient) for one in runtime.dead_letters] == [
        ("queued", "agent_stopped", A),
        ("published", "agent_stopped", A),
    ]
    await until(lambda: "1 closed" in shop.journal)
    with pytest.raises(AgentStoppedError):
        await runtime.get(A, lazy=False)
    assert await runtime.save_state() == {}
    await runtime.close()
    assert shop.journal.count("1 closed") == 1


async def test_other_agents_of_the_type_are_not_stopped(shop: Shop, runtime: Runtime) -> None:
    await shop.register(Supervision(on_failure="stop"))
    await shop.fail()
    assert await runtime.send_message("x", AgentId("a", "other")) == 2


async def test_a_published_message_to_a_stopped_agent_is_no_unhandled_error() -> None:
    runtime = SingleThreadedAgentRuntime(ignore_unhandled_exceptions=False)
    runtime.start()
    shop = Shop(runtime)
    await shop.register(Supervision(on_failure="stop"))
    await shop.fail()
    await runtime.publish_message("x", T)
    await runtime.stop_when_idle()
    assert [one.message for one in runtime.dead_letters] == ["x"]
    await runtime.close()


@pytest.mark.parametrize("is_stopped", [False, True])
async def test_a_replaced_instance_is_passivated_and_a_stopped_agent_stays_stopped(
    shop: Shop, clock: SteppedTime, is_stopped: bool
) -> None:
    supervision = Supervision(on_failure="stop") if is_stopped else RESTART
    await shop.register(supervision, passivate_after=60.0)
    await clock.run(shop.send("x"))
    await clock.run(shop.fail())
    await clock.settle()
    shop.take()
    await clock.advance(61)
    await clock.settle()
    if is_stopped:
        assert shop.take() == []
        with pytest.raises(AgentStoppedError):
            await clock.run(shop.send("y"))
    else:
        assert shop.take() == ["2 deactivated", "2 closed"]
        assert await clock.run(shop.send("y")) == 3


async def test_a_runtime_that_closes_during_a_restart_closes_what_there_is(
    runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    shop = Shop(runtime)
    await shop.queue_during_restart()
    waiting = shop.send("y")
    for _ in range(10):
        await asyncio.sleep(0)
    await runtime.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [one for one in shop.journal if "closed" in one] == ["1 closed", "2 closed"]
    assert [one for one in caplog.records if one.levelname == "ERROR"] == []
    shop.activation.set()
    runtime.start()
    with pytest.raises(AgentStoppedError):
        await shop.send("z")


async def test_registered_instances_are_not_restarted(runtime: Runtime) -> None:
    shop = Shop(runtime)
    await Worker(shop).register_instance(runtime, A)
    with pytest.raises(ValueError, match='on_failure="restart" for agent type "a"'):
        runtime.set_agent_options("a", AgentOptions(supervision=RESTART))
    runtime.set_agent_options("b", AgentOptions(supervision=RESTART))
    with pytest.raises(ValueError, match="there is no factory that builds a new one"):
        await Worker(shop).register_instance(runtime, AgentId("b", "default"))


@pytest.mark.parametrize(
    "wrong",
    [{"max_restarts": 0}, {"within": 0.0}, {"keep_state": 1}, {"on_failure": "again"}],
)
def test_a_wrong_option_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be .*; got "):
        Supervision(**wrong)
