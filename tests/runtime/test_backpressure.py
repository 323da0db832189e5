"""Full mailboxes whose senders wait for room."""

import asyncio
import gc
import logging
import weakref

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    CancellationToken,
    DeadLetterCause,
    DefaultInterventionHandler,
    Delay,
    DropMessage,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import DeadlockError, MailboxFullError, RuntimeStoppedError

from .function_agents import is_idle, register, until

ORDERS = TopicId("orders", "default")


@pytest.fixture
async def runtime():
    runtime = SingleThreadedAgentRuntime()
    yield runtime
    await runtime.close()


class Workshop:
    """An agent that handles one message after the other, each when it is told to go on."""

    def __init__(self):
        self.seen = []
        self.may_go_on = asyncio.Semaphore(0)

    async def __call__(self, agent, message, ctx):
        self.seen.append(message)
        await self.may_go_on.acquire()
        return message


async def workshop(runtime, capacity=2, overflow="wait", name="workshop"):
    work = Workshop()
    agent_id = await register(runtime, name, work)
    options = AgentOptions(order="sequential", capacity=capacity, overflow=overflow)
    runtime.set_agent_options(name, options)
    await runtime.add_subscription(TypeSubscription("orders", name))
    if not runtime._engine.is_started:
        runtime.start()
    return work, agent_id()


async def publish_each(runtime, numbers, done):
    for number in numbers:
        await runtime.publish_message(number, ORDERS)
        done.append(number)


async def turns(count=30):
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_publisher_waits_until_there_is_room(runtime):
    work, _ = await workshop(runtime)
    done = []
    publisher = asyncio.ensure_future(publish_each(runtime, range(6), done))
    await turns()
    assert (work.seen, done) == ([0], [0, 1, 2])  # one is handled, two are queued
    work.may_go_on.release()
    await until(lambda: done == [0, 1, 2, 3])
    await turns()
    assert (work.seen, done) == ([0, 1], [0, 1, 2, 3])
    for _ in range(5):
        work.may_go_on.release()
    await publisher
    await runtime.stop_when_idle()
    assert work.seen == list(range(6))


async def test_who_came_first_is_served_first(runtime):
    work, _ = await workshop(runtime, capacity=1)
    order = []

    async def publish(number):
        await runtime.publish_message(number, ORDERS)
        order.append(number)

    publishers = [asyncio.ensure_future(publish(number)) for number in range(8)]
    for _ in range(8):
        await turns(5)
        work.may_go_on.release()
    await asyncio.gather(*publishers)
    assert order == list(range(8))
    await runtime.stop_when_idle()
    assert work.seen == list(range(8))


async def test_memory_is_bounded_by_capacity_and_publishers(runtime):
    work, _ = await workshop(runtime, capacity=3)
    done = []
    publishers = [asyncio.ensure_future(publish_each(runtime, range(100), done)) for _ in range(4)]
    for _ in range(50):
        await turns(3)
        # Queued within the capacity, and one message of each publisher.
        assert runtime.unprocessed_messages_count <= 3 + 4
        work.may_go_on.release()
    for _ in range(400):
        work.may_go_on.release()
    await asyncio.gather(*publishers)
    await runtime.stop_when_idle()
    assert sorted(work.seen) == sorted(list(range(100)) * 4)


async def test_the_sender_of_a_request_gets_its_response_as_usual(runtime):
    work, agent_id = await workshop(runtime, capacity=1)
    sends = [asyncio.ensure_future(runtime.send_message(n, agent_id)) for n in range(4)]
    await turns()
    for _ in range(4):
        work.may_go_on.release()
    assert await asyncio.gather(*sends) == [0, 1, 2, 3]


async def test_publishing_waits_for_the_mailboxes_of_all_recipients(runtime):
    slow, _ = await workshop(runtime, capacity=1, name="slow")
    fast, _ = await workshop(runtime, capacity=100, name="fast")
    done = []
    publisher = asyncio.ensure_future(publish_each(runtime, range(3), done))
    await turns()
    assert done == [0, 1]
    for _ in range(10):
        slow.may_go_on.release()
        fast.may_go_on.release()
    await publisher
    await runtime.stop_when_idle()
    assert slow.seen == fast.seen == [0, 1, 2]


async def test_a_publisher_that_stops_waiting_withdraws_its_message(runtime):
    work, agent_id = await workshop(runtime, capacity=1)
    done = []
    await publish_each(runtime, range(2), done)
    waiting = [asyncio.ensure_future(runtime.publish_message(n, ORDERS)) for n in (2, 3)]
    await turns()
    waiting[0].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[0]
    [letter] = runtime.dead_letters
    assert (letter.message, letter.cause) == (2, DeadLetterCause.MAILBOX_FULL)
    assert isinstance(letter.reason, MailboxFullError)
    assert letter.recipient == agent_id
    for _ in range(4):
        work.may_go_on.release()
    await waiting[1]
    await runtime.stop_when_idle()
    assert work.seen == [0, 1, 3]


async def test_a_cancelled_request_that_waits_for_room_is_withdrawn(runtime):
    work, agent_id = await workshop(runtime, capacity=1)
    sends = [asyncio.ensure_future(runtime.send_message(n, agent_id)) for n in range(3)]
    await turns()
    sends[2].cancel()
    await turns()
    assert [letter.message for letter in runtime.dead_letters] == [2]
    for _ in range(3):
        work.may_go_on.release()
    await asyncio.gather(*sends[:2])
    await runtime.stop_when_idle()
    assert work.seen == [0, 1]


async def test_a_token_ends_the_waiting_of_a_publisher(runtime):
    _, _ = await workshop(runtime, capacity=1)
    token = CancellationToken()
    await publish_each(runtime, range(2), [])
    waiting = asyncio.ensure_future(runtime.publish_message(2, ORDERS, cancellation_token=token))
    await turns()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert [letter.message for letter in runtime.dead_letters] == [2]


async def test_a_runtime_that_stops_tells_the_publishers_that_wait(runtime):
    work, _ = await workshop(runtime, capacity=1)
    await publish_each(runtime, range(2), [])
    waiting = asyncio.ensure_future(runtime.publish_message(2, ORDERS))
    await turns()
    await runtime.stop()
    with pytest.raises(RuntimeStoppedError):
        await waiting
    work.may_go_on.release()
    await until(lambda: is_idle(runtime))
    assert sorted(letter.message for letter in runtime.dead_letters) == [1, 2]


async def test_publishing_does_not_wait_before_the_runtime_is_started():
    runtime = SingleThreadedAgentRuntime()
    work = Workshop()
    await register(runtime, "workshop", work)
    runtime.set_agent_options("workshop", AgentOptions(concurrency=1, capacity=1, overflow="wait"))
    await runtime.add_subscription(TypeSubscription("orders", "workshop"))
    for number in range(5):
        await runtime.publish_message(number, ORDERS)
    runtime.start()
    for _ in range(5):
        work.may_go_on.release()
    await runtime.stop_when_idle()
    assert work.seen == list(range(5))


async def test_agents_that_wait_for_room_in_each_other_are_told_of_the_cycle(runtime):
    errors = []

    async def flood(agent, message, ctx):
        other = "b" if agent.id.type == "a" else "a"
        try:
            for number in range(5):
                await agent.publish_message(number, TopicId(f"to-{other}", "1"))
        except DeadlockError as error:
            errors.append(error)

    for name in "ab":
        await register(runtime, name, flood)
        options = AgentOptions(order="sequential", capacity=1, overflow="wait")
        runtime.set_agent_options(name, options)
        await runtime.add_subscription(TypeSubscription(f"to-{name}", name))
    runtime.start()
    await runtime.publish_message(0, TopicId("to-a", "1"))
    await until(lambda: errors)
    cycle = [str(one) for one in errors[0].cycle]
    assert cycle in (["a/1", "b/1", "a/1"], ["b/1", "a/1", "b/1"])
    assert "room in its mailbox" in str(errors[0])
    await runtime.stop()


async def test_a_message_that_an_intervention_handler_drops_does_not_keep_its_publisher():
    class Drops(DefaultInterventionHandler):
        async def on_publish(self, message, **how):
            await asyncio.sleep(0)
            return DropMessage

    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Drops()])
    await workshop(runtime, capacity=1)
    for number in range(4):
        await runtime.publish_message(number, ORDERS)
    await runtime.close()


@pytest.mark.parametrize("suspends", [False, True])
async def test_intervention_handlers_publish_without_waiting(suspends):
    class Copies(DefaultInterventionHandler):
        async def on_publish(self, message, **how):
            if suspends:
                await asyncio.sleep(0)
            if message == "original":
                await runtime.publish_message("copy", ORDERS)
                await asyncio.create_task(runtime.publish_message("copy", ORDERS))
            return message

    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Copies()])
    work, _ = await workshop(runtime, capacity=1)
    for _ in range(9):
        work.may_go_on.release()
    for _ in range(3):
        await asyncio.wait_for(runtime.publish_message("original", ORDERS), 150)
    await runtime.stop_when_idle()
    assert sorted(work.seen) == ["copy"] * 6 + ["original"] * 3


async def test_a_topic_without_subscribers_does_not_keep_its_publisher(runtime):
    await workshop(runtime, capacity=1)
    await runtime.publish_message("x", TopicId("unknown", "1"))


async def test_gathered_publishers_wait_too(runtime):
    work, _ = await workshop(runtime, capacity=1)
    gathered = asyncio.gather(*[runtime.publish_message(n, ORDERS) for n in range(5)])
    await turns()
    assert not gathered.done()
    for _ in range(5):
        work.may_go_on.release()
    await gathered
    await runtime.stop_when_idle()
    assert work.seen == list(range(5))


async def test_capacity_is_needed_for_waiting():
    with pytest.raises(ValueError, match="overflow='wait' needs a capacity"):
        AgentOptions(overflow="wait")


async def test_a_runtime_with_waiting_publishers_can_be_dropped(caplog):
    # pytest keeps each log record with its exception, and on CPython 3.14 the agent with that.
    caplog.set_level(logging.CRITICAL + 1, logger="autogen_core")
    runtime = SingleThreadedAgentRuntime()
    await workshop(runtime, capacity=1)
    await publish_each(runtime, range(2), [])
    waiting = asyncio.ensure_future(runtime.publish_message(2, ORDERS))
    await turns()
    await runtime.close()
    await asyncio.gather(waiting, return_exceptions=True)
    reference = weakref.ref(runtime)
    del runtime, waiting
    gc.collect()
    assert reference() is None


async def test_agents_of_one_type_have_mailboxes_of_their_own(runtime):
    work, _ = await workshop(runtime, capacity=1)
    for key in "abc":
        await runtime.publish_message(key, TopicId("orders", key))
        await runtime.publish_message(key, TopicId("orders", key))
    await until(lambda: sorted(work.seen) == ["a", "b", "c"])
    assert runtime.unprocessed_messages_count == 3
    assert {str(info.id): info.queued for info in runtime.agents()} == {
        str(AgentId("workshop", key)): 1 for key in "abc"
    }
    for _ in range(6):
        work.may_go_on.release()
    await runtime.stop_when_idle()


async def test_a_publisher_goes_on_when_its_delayed_message_is_drained():
    class Delays(DefaultInterventionHandler):
        async def on_publish(self, message, **how):
            return Delay(3600)

    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Delays()])
    await workshop(runtime)
    publishing = asyncio.create_task(runtime.publish_message(1, ORDERS))
    await asyncio.sleep(0)
    await asyncio.wait_for(runtime.stop(), 5)
    await asyncio.wait_for(publishing, 5)
    assert [letter.cause for letter in runtime.dead_letters] == [DeadLetterCause.RUNTIME_STOPPED]
    await runtime.close()


async def test_publishers_go_on_when_a_recipient_cannot_be_built(runtime):
    may_fail = asyncio.Event()

    async def build():
        await may_fail.wait()
        raise LookupError("no database")

    await runtime.register_factory("workshop", build)
    runtime.set_agent_options("workshop", AgentOptions(capacity=1, overflow="wait"))
    await runtime.add_subscription(TypeSubscription("orders", "workshop"))
    runtime.start()
    publishing = [asyncio.create_task(runtime.publish_message(n, ORDERS)) for n in range(3)]
    await until(publishing[0].done)
    assert not publishing[1].done()
    may_fail.set()
    await asyncio.wait_for(asyncio.gather(*publishing), 5)
    await runtime.stop_when_idle()
    causes = [letter.cause for letter in runtime.dead_letters]
    assert causes == [DeadLetterCause.BUILD_FAILED] * 3
