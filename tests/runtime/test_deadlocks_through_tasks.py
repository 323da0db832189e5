"""Cycles of calls through tasks that handlers make and await."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    rpc,
    stream,
)
from ferrogen.exceptions import DeadlockError

A, B, C = (AgentId("node", key) for key in "abc")


@dataclass
class Call:
    """Goes along the path, by the way that each agent has for its call."""

    path: tuple[str, ...] = ()


@dataclass
class Parts:
    path: tuple[str, ...] = ()


async def plainly(agent, message, to):
    return await agent.send_message(message, to)


async def by_ask(agent, message, to):
    return await agent.ask(to, message, str)


async def by_gather(agent, message, to):
    return (await asyncio.gather(agent.send_message(message, to)))[0]


async def by_gather_of_coroutines(agent, message, to):
    return (await asyncio.gather(asyncio.sleep(0), plainly(agent, message, to)))[1]


async def by_nested_gathers(agent, message, to):
    inner = asyncio.gather(agent.send_message(message, to))
    return (await asyncio.gather(inner, asyncio.sleep(0)))[0][0]


async def by_task(agent, message, to):
    return await asyncio.create_task(agent.send_message(message, to))


async def by_task_awaited_later(agent, message, to):
    task = asyncio.create_task(agent.send_message(message, to))
    await asyncio.sleep(0.001)
    return await task


async def by_stream(agent, message, to):
    async with aclosing(agent.stream(Parts(message.path), to)) as parts:
        return [part async for part in parts][-1]


async def by_request_all(agent, message, to):
    topic = TopicId(f"topic-{to.key}", to.key)
    gathered = await agent.runtime.request_all(message, topic)
    for error in gathered.failures.values():
        raise error
    return next(iter(gathered.responses.values()))


WAYS = {
    way.__name__: way
    for way in (
        plainly,
        by_ask,
        by_gather,
        by_gather_of_coroutines,
        by_nested_gathers,
        by_task,
        by_task_awaited_later,
        by_stream,
        by_request_all,
    )
}


# In a ring, the calls of the others must not be queued before the first agent awaits its task.
EARLY = {name: way for name, way in WAYS.items() if way is not by_task_awaited_later}


class Node(RoutedAgent):
    ways: ClassVar[dict[str, Callable[..., Awaitable[Any]]]] = {}

    async def follow(self, path):
        if not path:
            return "end"
        return await self.ways[self.id.key](self, Call(path[1:]), AgentId("node", path[0]))

    @rpc
    async def on_call(self, message: Call, ctx: MessageContext) -> str:
        return await self.follow(message.path)

    @stream
    async def on_parts(self, message: Parts, ctx: MessageContext):
        yield "first"
        yield await self.follow(message.path)


@pytest.fixture
async def make():
    runtimes = []

    async def make(options, **ways):
        runtime = SingleThreadedAgentRuntime()

        class Named(Node):
            pass

        Named.ways = {**dict.fromkeys("abc", plainly), **ways}
        await Named.register(runtime, "node", lambda: Named("calls"))
        runtime.set_agent_options("node", options)
        for key in "abc":
            await runtime.add_subscription(TypeSubscription(f"topic-{key}", "node"))
        runtime.start()
        runtimes.append(runtime)
        return runtime

    yield make
    for runtime in runtimes:
        await runtime.close()


SEQUENTIAL = {
    "sequential": AgentOptions(order="sequential"),
    "concurrency=1": AgentOptions(concurrency=1),
}


@pytest.mark.parametrize("options", SEQUENTIAL.values(), ids=SEQUENTIAL)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_call_to_the_own_agent_is_a_deadlock(make, options, way):
    runtime = await make(options, a=way)
    with pytest.raises(DeadlockError) as raised:
        await asyncio.wait_for(runtime.send_message(Call(("a",)), A), 30)
    assert raised.value.cycle == (A, A)
    assert "node/a -> node/a" in str(raised.value)
    await asyncio.wait_for(runtime.stop_when_idle(), 30)


@pytest.mark.parametrize("last", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("first", EARLY.values(), ids=EARLY)
async def test_a_ring_is_a_deadlock(make, first, last):
    runtime = await make(AgentOptions(order="sequential"), a=first, b=plainly, c=last)
    with pytest.raises(DeadlockError) as raised:
        await asyncio.wait_for(runtime.send_message(Call(("b", "c", "a")), A), 30)
    assert {one.key for one in raised.value.cycle} == {"a", "b", "c"}
    await asyncio.wait_for(runtime.stop_when_idle(), 30)


async def test_a_queued_call_is_a_deadlock_also_in_a_reentrant_agent(make):
    runtime = await make(AgentOptions(order="reentrant"), a=by_task_awaited_later)
    with pytest.raises(DeadlockError):
        await asyncio.wait_for(runtime.send_message(Call(("a",)), A), 30)
    await asyncio.wait_for(runtime.stop_when_idle(), 30)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_a_reentrant_agent_lets_the_call_in(make, way):
    if way is by_task_awaited_later:
        way = by_task  # the call is queued before it is awaited
    runtime = await make(AgentOptions(order="reentrant"), a=way, b=way)
    call = runtime.send_message(Call(("b", "a", "b")), A)
    assert await asyncio.wait_for(call, 30) == "end"
    await asyncio.wait_for(runtime.stop_when_idle(), 30)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_calls_without_a_cycle_are_none(make, way):
    runtime = await make(AgentOptions(order="sequential"), a=way, b=way, c=way)
    calls = [runtime.send_message(Call(("b", "c")), A) for _ in range(3)]
    calls += [runtime.send_message(Call(("c",)), B), runtime.send_message(Call(), C)]
    assert await asyncio.wait_for(asyncio.gather(*calls), 30) == ["end"] * 5


async def test_a_task_that_is_not_awaited_is_no_deadlock(make):
    tasks = []

    async def fire_and_forget(agent, message, to):
        tasks.append(asyncio.create_task(agent.send_message(message, to)))
        tasks.append(asyncio.gather(agent.send_message(message, to)))
        await asyncio.sleep(0.01)  # the messages are queued meanwhile
        return "gone on"

    runtime = await make(AgentOptions(order="sequential"), a=fire_and_forget)
    call = runtime.send_message(Call(("a",)), A)
    assert await asyncio.wait_for(call, 30) == "gone on"
    assert await asyncio.wait_for(asyncio.gather(*tasks), 30) == ["end", ["end"]]


async def test_a_handler_that_stops_awaiting_its_tasks_is_not_in_a_deadlock(make):
    async def fails():
        await asyncio.sleep(0)
        raise LookupError

    async def goes_on(agent, message, to):
        if agent.id.key == "b":
            await asyncio.sleep(0.01)
            return await agent.send_message(message, to)  # a goes on without this response
        try:
            await asyncio.gather(agent.send_message(message, to), fails())
        except LookupError:
            await asyncio.sleep(0.05)
        return "gone on"

    runtime = await make(AgentOptions(order="sequential"), a=goes_on, b=goes_on)
    call = runtime.send_message(Call(("b", "a")), A)
    assert await asyncio.wait_for(call, 30) == "gone on"
    await asyncio.wait_for(runtime.stop_when_idle(), 30)
    assert len(runtime.dead_letters) == 0


async def test_one_of_several_tasks_is_enough(make):
    async def both(agent, message, to):
        others = [agent.send_message(Call(), C), agent.send_message(message, to)]
        return await asyncio.gather(*others, agent.send_message(Call(), C))

    runtime = await make(AgentOptions(order="sequential"), a=both, b=plainly)
    with pytest.raises(DeadlockError):
        await asyncio.wait_for(runtime.send_message(Call(("b", "a")), A), 30)
    await asyncio.wait_for(runtime.stop_when_idle(), 30)


async def test_a_stream_whose_reader_pauses_is_no_deadlock(make):
    async def reads(agent, message, to):
        async with aclosing(agent.stream(Parts(message.path), to)) as parts:
            async for part in parts:
                assert part == "first"
                break
        return "left"

    runtime = await make(AgentOptions(order="sequential"), a=reads, b=plainly)
    call = runtime.send_message(Call(("b", "a")), A)
    assert await asyncio.wait_for(call, 30) == "left"
    await asyncio.wait_for(runtime.stop_when_idle(), 30)
