"""The order of queued messages: priorities, fairness keys, sequential and reentrant agents."""

import asyncio
from dataclasses import dataclass

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    MessageContext,
    Priority,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    agent_options,
    event,
    rpc,
)
from ferrogen.exceptions import DeadlockError, MailboxFullError


@dataclass
class Work:
    name: str


@dataclass
class Hop:
    left: int


class Worker(RoutedAgent):
    """Records what it handles; `gate` holds the first message."""

    def __init__(self) -> None:
        super().__init__("works")
        self.handled: list[str] = []
        self.gate = asyncio.Event()

    @rpc
    async def work(self, message: Work, ctx: MessageContext) -> str:
        self.handled.append(message.name)
        await self.gate.wait()
        return message.name

    @event
    async def on_work(self, message: Work, ctx: MessageContext) -> None:
        self.handled.append(message.name)
        await self.gate.wait()

    @rpc
    async def hop(self, message: Hop, ctx: MessageContext) -> int:
        if not message.left:
            return 0
        other = AgentId(self.id.type, "b" if self.id.key == "a" else "a")
        return 1 + await self.send_message(Hop(message.left - 1), other)


async def started(options: AgentOptions) -> SingleThreadedAgentRuntime:
    runtime = SingleThreadedAgentRuntime()
    await Worker.register(runtime, "worker", Worker)
    await runtime.add_subscription(TypeSubscription("work", "worker"))
    runtime.set_agent_options("worker", options)
    runtime.start()
    return runtime


@pytest.fixture
async def runtime():
    runtime = await started(AgentOptions(order="sequential"))
    yield runtime
    await runtime.close()


ID = AgentId("worker", "a")


async def busy(runtime) -> Worker:
    """The worker, which handles a message until its gate opens."""
    worker = await runtime.try_get_underlying_agent_instance(ID, Worker)
    await runtime.publish_message(Work("first"), TopicId("work", "a"))
    await placed()
    assert worker.handled == ["first"]
    return worker


async def placed() -> None:
    """Lets messages that were accepted be placed into the mailboxes."""
    for _ in range(5):
        await asyncio.sleep(0)


async def finish(runtime, worker, sends=()):
    worker.gate.set()
    outcomes = await asyncio.gather(*sends, return_exceptions=True)
    await runtime.stop_when_idle()
    return outcomes


@pytest.mark.parametrize("published", [False, True])
async def test_queued_messages_of_high_priority_go_first(runtime, published):
    worker = await busy(runtime)
    sends = []
    for name, priority in [("n1", 0), ("low", -1), ("n2", 0), ("high", Priority.HIGH), ("top", 2)]:
        if published:
            topic = TopicId("work", "a")
            await runtime.publish_message(Work(name), topic, priority=priority)
        else:
            send = runtime.send_message(Work(name), ID, priority=priority)
            sends.append(asyncio.ensure_future(send))
        await asyncio.sleep(0)
    await finish(runtime, worker, sends)
    assert worker.handled == ["first", "top", "high", "n1", "n2", "low"]


async def test_an_agent_sends_with_a_priority(runtime):
    class Boss(RoutedAgent):
        def __init__(self) -> None:
            super().__init__("sends")

        @event
        async def on_hop(self, message: Hop, ctx: MessageContext) -> None:
            topic = TopicId("work", "a")
            await self.publish_message(Work("low"), topic, priority=-2)
            await self.publish_message(Work("high"), topic, priority=2, fairness_key="x")

    worker = await busy(runtime)
    await Boss.register(runtime, "boss", Boss)
    await runtime.add_subscription(TypeSubscription("boss", "boss"))
    await runtime.publish_message(Hop(1), TopicId("boss", "a"))
    await finish(runtime, worker)
    assert worker.handled == ["first", "high", "low"]


async def test_one_tenant_does_not_starve_the_others(runtime):
    worker = await busy(runtime)
    topic = TopicId("work", "a")
    for number in range(4):
        await runtime.publish_message(Work(f"a{number}"), topic, fairness_key="a")
    for number in range(2):
        await runtime.publish_message(Work(f"b{number}"), topic, fairness_key="b")
    await finish(runtime, worker)
    assert worker.handled == ["first", "a0", "b0", "a1", "b1", "a2", "a3"]


async def test_messages_of_low_priority_make_progress(runtime):
    worker = await busy(runtime)
    topic = TopicId("work", "a")
    await runtime.publish_message(Work("low"), topic, priority=-2)
    for number in range(40):
        await runtime.publish_message(Work(f"high {number}"), topic, priority=2)
    await finish(runtime, worker)
    assert worker.handled.index("low") == 17


@pytest.mark.parametrize("priority", [3, -3, 1.5, True, "high"])
def test_a_priority_out_of_range_is_refused(priority):
    runtime = SingleThreadedAgentRuntime()
    with pytest.raises(ValueError, match=r"priority must be a whole number from -2 .* to 2"):
        runtime.send_message(Work("x"), ID, priority=priority)


async def test_a_sequential_agent_refuses_a_cycle_and_a_reentrant_one_lets_it_in(runtime):
    with pytest.raises(DeadlockError, match="worker/a"):
        await runtime.send_message(Hop(3), ID)
    runtime.set_agent_options("worker", AgentOptions(order="reentrant"))
    assert await runtime.send_message(Hop(5), ID) == 5


async def test_a_reentrant_agent_handles_messages_of_others_one_after_the_other(runtime):
    runtime.set_agent_options("worker", AgentOptions(order="reentrant"))
    worker = await busy(runtime)
    send = asyncio.ensure_future(runtime.send_message(Work("second"), ID))
    for _ in range(5):
        await asyncio.sleep(0)
    assert worker.handled == ["first"]
    assert await finish(runtime, worker, [send]) == ["second"]


@pytest.mark.parametrize(
    ("overflow", "handled", "dropped"),
    [
        ("reject", ["first", "1", "2"], ["3"]),
        ("drop_newest", ["first", "1", "2"], ["3"]),
        ("drop_oldest", ["first", "2", "3"], ["1"]),
    ],
)
async def test_a_full_mailbox_drops_by_its_policy(runtime, overflow, handled, dropped):
    options = AgentOptions(order="sequential", capacity=2, overflow=overflow)
    runtime.set_agent_options("worker", options)
    worker = await busy(runtime)
    sends = []
    for name in ("1", "2", "3"):
        sends.append(asyncio.ensure_future(runtime.send_message(Work(name), ID)))
        await asyncio.sleep(0)
    outcomes = await finish(runtime, worker, sends)
    assert worker.handled == handled
    assert [letter.message.name for letter in runtime.dead_letters] == dropped
    failed = [one for one in outcomes if isinstance(one, Exception)]
    assert [type(error) for error in failed] == [MailboxFullError]


async def test_a_full_mailbox_drops_the_oldest_message_of_the_lowest_priority(runtime):
    options = AgentOptions(order="sequential", capacity=2, overflow="drop_oldest")
    runtime.set_agent_options("worker", options)
    worker = await busy(runtime)
    topic = TopicId("work", "a")
    await runtime.publish_message(Work("high"), topic, priority=1)
    for name in ("1", "2"):
        await runtime.publish_message(Work(name), topic)
    await placed()
    await finish(runtime, worker)
    assert worker.handled == ["first", "high", "2"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"order": "sequential", "concurrency": 2}, "concurrency must be 1 or None"),
        ({"order": "ordered"}, "order must be one of"),
        ({"overflow": "drop"}, "overflow must be one of"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, text):
    with pytest.raises(ValueError, match=text):
        AgentOptions(**options)
    with pytest.raises(ValueError, match=text):
        agent_options(**options)


def test_a_fairness_key_of_another_type_is_refused():
    runtime = SingleThreadedAgentRuntime()
    with pytest.raises(TypeError, match="fairness_key must be text, or None; got 5"):
        runtime.publish_message(Work("a"), TopicId("work", "x"), fairness_key=5)
