"""Deadlines: messages that are not handled in time. The time is simulated."""

import asyncio
import gc
import weakref
from dataclasses import dataclass

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    event,
    rpc,
)
from ferrogen.exceptions import DeadlineExceededError

SHORT = 60.0
FOREVER = 1e6


@dataclass
class Wait:
    """Its handler waits forever, after it has sent the same to another agent."""

    to: str | None = None


@dataclass
class Quick:
    number: int = 0


class Waiter(RoutedAgent):
    def __init__(self) -> None:
        super().__init__("waits")
        self.seen: list[object] = []

    @rpc
    async def wait(self, message: Wait, ctx: MessageContext) -> None:
        self.seen.append("began")
        self.task = asyncio.current_task()
        try:
            if message.to is not None:
                await self.send_message(Wait(), AgentId("waiter", message.to))
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        except DeadlineExceededError:
            self.seen.append("deadline")
            raise

    @event
    async def on_quick(self, message: Quick, ctx: MessageContext) -> None:
        self.seen.append(message.number)

    @rpc
    async def ask(self, message: Quick, ctx: MessageContext) -> int:
        return message.number


@pytest.fixture
async def runtime():
    runtime = SingleThreadedAgentRuntime()
    await Waiter.register(runtime, "waiter", Waiter)
    await runtime.add_subscription(TypeSubscription("topic", "waiter"))
    runtime.start()
    yield runtime
    await runtime.close()


def waiter(runtime, key="a"):
    return runtime.try_get_underlying_agent_instance(AgentId("waiter", key), Waiter)


async def test_a_handler_that_is_too_slow_is_cancelled_before_its_sender_gets_the_error(runtime):
    with pytest.raises(DeadlineExceededError, match="message Wait to waiter/a") as got:
        await runtime.send_message(Wait(), AgentId("waiter", "a"), timeout=SHORT)
    assert isinstance(got.value, TimeoutError)
    assert (await waiter(runtime)).seen == ["began", "cancelled"]


async def test_a_message_that_expires_in_a_queue_is_never_started(runtime):
    runtime.set_agent_options("waiter", AgentOptions(concurrency=1))
    first = asyncio.ensure_future(runtime.send_message(Wait(), AgentId("waiter", "a")))
    await asyncio.sleep(0)
    with pytest.raises(DeadlineExceededError):
        await runtime.send_message(Wait(), AgentId("waiter", "a"), timeout=SHORT)
    agent = await waiter(runtime)
    assert agent.seen == ["began"]
    agent.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await runtime.stop_when_idle()
    assert agent.seen == ["began", "cancelled"]
    [letter] = runtime.dead_letters
    assert isinstance(letter.reason, DeadlineExceededError)


async def test_a_handler_keeps_its_deadline_when_its_sender_is_cancelled(runtime):
    call = runtime.send_message(Wait(), AgentId("waiter", "a"), timeout=SHORT)
    sending = asyncio.create_task(call)
    await asyncio.sleep(SHORT / 2)
    sending.cancel()
    await asyncio.wait([sending])
    agent = await waiter(runtime)
    assert agent.seen == ["began"]
    await asyncio.sleep(SHORT / 2 + 1)
    assert agent.seen == ["began", "cancelled"]
    assert runtime.stats().expired == 1


async def test_what_a_handler_sends_inherits_its_deadline(runtime):
    with pytest.raises(DeadlineExceededError):
        await runtime.send_message(Wait(to="b"), AgentId("waiter", "a"), timeout=SHORT)
    outer, inner = await waiter(runtime, "a"), await waiter(runtime, "b")
    assert inner.seen == ["began", "cancelled"]
    assert outer.seen == ["began", "cancelled"]


async def test_a_message_in_time_is_not_affected(runtime):
    for number in range(50):
        response = await runtime.send_message(Quick(number), AgentId("waiter", "a"), timeout=SHORT)
        assert response == number
    await asyncio.sleep(2 * SHORT)
    assert await runtime.send_message(Quick(50), AgentId("waiter", "a")) == 50
    assert len(runtime.dead_letters) == 0


async def test_a_published_message_expires_too(runtime):
    class Slow(RoutedAgent):
        def __init__(self) -> None:
            super().__init__("slow")

        @event
        async def on_quick(self, message: Quick, ctx: MessageContext) -> None:
            ended.append("began")
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                ended.append("cancelled")
                raise

    ended: list[str] = []
    await Slow.register(runtime, "slow", Slow)
    await runtime.add_subscription(TypeSubscription("slow", "slow"))
    await runtime.publish_message(Quick(), TopicId("slow", "a"), timeout=SHORT)
    await runtime.stop_when_idle()
    assert ended == ["began", "cancelled"]


async def test_a_published_message_that_is_taken_too_late_is_a_dead_letter():
    runtime = SingleThreadedAgentRuntime()
    await Waiter.register(runtime, "waiter", Waiter)
    await runtime.add_subscription(TypeSubscription("topic", "waiter"))
    await runtime.publish_message(Quick(1), TopicId("topic", "a"), timeout=SHORT)
    await runtime.publish_message(Quick(2), TopicId("topic", "a"))
    await asyncio.sleep(SHORT)
    runtime.start()
    await runtime.stop_when_idle()
    assert (await waiter(runtime)).seen == [2]
    [letter] = runtime.dead_letters
    assert isinstance(letter.reason, DeadlineExceededError)
    await runtime.close()


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_that_is_not_positive_is_refused(timeout):
    runtime = SingleThreadedAgentRuntime()
    with pytest.raises(ValueError, match="timeout must be a number of seconds greater than 0"):
        runtime.send_message(Quick(), AgentId("waiter", "a"), timeout=timeout)


@pytest.mark.parametrize("timeout", ["1", True])
def test_a_timeout_of_another_type_is_refused(timeout):
    runtime = SingleThreadedAgentRuntime()
    with pytest.raises(TypeError, match="timeout must be a number of seconds greater than 0"):
        runtime.send_message(Quick(), AgentId("waiter", "a"), timeout=timeout)


async def test_an_ended_message_is_not_kept_until_its_deadline(runtime):
    message = Quick()
    gone = weakref.ref(message)
    wait = Wait(to="b")
    first = asyncio.ensure_future(
        runtime.send_message(wait, AgentId("waiter", "a"), timeout=FOREVER)
    )
    await asyncio.sleep(0)
    await runtime.send_message(message, AgentId("waiter", "a"), timeout=FOREVER)
    del message
    gc.collect()
    assert gone() is None
    gone = weakref.ref(wait)
    (await waiter(runtime)).task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    (await waiter(runtime, "b")).task.cancel()
    await runtime.stop_when_idle()
    del wait, first
    gc.collect()
    assert gone() is None
