"""anyio and sniffio inside handlers, and around sends."""

import asyncio

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
import sniffio

from .scenario import Ask, until, yield_to_loop


async def slow_agent(scenario):
    gate, ended = asyncio.Event(), []

    async def slow(self, message, ctx):
        await gate.wait()
        ended.append("slow")

    await scenario.agent("slow", slow)
    return gate, ended


async def test_sniffio_finds_asyncio(scenario):
    async def handler(self, message, ctx):
        before = sniffio.current_async_library()
        await asyncio.sleep(0)
        return before, sniffio.current_async_library()

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == ("asyncio", "asyncio")


async def test_anyio_recognizes_the_task_of_the_handler(scenario):
    async def handler(self, message, ctx):
        before = anyio.get_current_task()
        await anyio.lowlevel.checkpoint()
        after = anyio.get_current_task()
        assert before.id == after.id == id(asyncio.current_task())
        await anyio.lowlevel.checkpoint()
        return before.id

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") != id(asyncio.current_task())


async def test_move_on_after_in_a_handler(scenario):
    async def handler(self, message, ctx):
        with anyio.move_on_after(0) as scope:
            await asyncio.Event().wait()
        await yield_to_loop(3)
        return scope.cancelled_caught

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a")
    await yield_to_loop(3)


async def test_move_on_after_in_a_handler_that_never_suspends_affects_no_other_task(scenario):
    async def handler(self, message, ctx):
        with anyio.move_on_after(0) as scope:  # noqa: ASYNC100 - nothing waits: that is the point
            pass
        return scope.cancelled_caught

    await scenario.agent("a", handler)
    scenario.start()
    for _ in range(3):
        assert not await scenario.ask("a")
        await yield_to_loop(3)


async def test_fail_after_in_a_handler(scenario):
    async def handler(self, message, ctx):
        with anyio.fail_after(0):
            await self.send_message(Ask(), scenario.id("slow"))

    gate, ended = await slow_agent(scenario)
    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(TimeoutError):
        await scenario.ask("a")
    assert ended == []
    gate.set()
    await until(lambda: ended)


@pytest.mark.parametrize("waits_for", ["event", "agent"])
async def test_a_cancel_scope_is_cancelled_from_outside(scenario, waits_for):
    scopes = []

    async def handler(self, message, ctx):
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            if waits_for == "agent":
                await self.send_message(Ask(), scenario.id("slow"))
            await asyncio.Event().wait()
        await anyio.lowlevel.checkpoint()
        return scope.cancelled_caught

    gate, _ = await slow_agent(scenario)
    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await until(lambda: scopes)
    await yield_to_loop()
    scopes[0].cancel()
    assert await asked
    gate.set()


async def test_a_cancel_scope_that_a_handler_cancels_itself(scenario):
    async def handler(self, message, ctx):
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.lowlevel.checkpoint()
        return scope.cancelled_caught

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a")


async def test_scopes_nest_and_the_outer_one_ends_both(scenario):
    async def handler(self, message, ctx):
        with anyio.move_on_after(0) as outer:
            with anyio.move_on_after(60) as inner:
                await self.send_message(Ask(), scenario.id("slow"))
        return outer.cancelled_caught, inner.cancelled_caught

    gate, _ = await slow_agent(scenario)
    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == (True, False)
    gate.set()


async def test_a_shielded_scope_lets_a_send_finish(scenario):
    async def quick(self, message, ctx):
        await yield_to_loop(3)
        return "response"

    async def handler(self, message, ctx):
        with anyio.CancelScope() as outer:
            outer.cancel()
            with anyio.CancelScope(shield=True):
                response = await self.send_message(Ask(), scenario.id("quick"))
            await anyio.lowlevel.checkpoint()
        return response, outer.cancelled_caught

    await scenario.agent("quick", quick)
    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == ("response", True)


async def test_a_scope_of_the_caller_around_a_send(scenario):
    gate, ended = await slow_agent(scenario)
    scenario.start()
    with anyio.move_on_after(0.001) as scope:
        await scenario.ask("slow")
    assert scope.cancelled_caught
    with anyio.move_on_after(60) as scope:
        gate.set()
        await scenario.ask("slow")
    assert not scope.cancelled_caught
    await until(lambda: len(ended) == 2)


async def test_a_task_group_in_a_handler(scenario):
    async def child(number, done):
        await anyio.lowlevel.checkpoint()
        done.append(number)

    async def handler(self, message, ctx):
        done = []
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(child, number, done)
            await self.send_message(Ask(), scenario.id("b"))
        return sorted(done)

    async def other(self, message, ctx):
        await yield_to_loop(3)

    await scenario.agent("a", handler)
    await scenario.agent("b", other)
    scenario.start()
    assert await scenario.ask("a") == [0, 1, 2]


async def test_a_failing_child_ends_a_handler_that_waits_for_another_agent(scenario):
    async def child():
        await anyio.lowlevel.checkpoint()
        raise ValueError

    async def handler(self, message, ctx):
        with pytest.RaisesGroup(ValueError):
            async with anyio.create_task_group() as group:
                group.start_soon(child)
                await self.send_message(Ask(), scenario.id("slow"))
        await anyio.lowlevel.checkpoint()
        return "went on"

    gate, _ = await slow_agent(scenario)
    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == "went on"
    gate.set()


async def test_threads_and_streams(scenario):
    async def handler(self, message, ctx):
        send, receive = anyio.create_memory_object_stream()
        async with send, receive, anyio.create_task_group() as group:
            group.start_soon(send.send, "through a stream")
            streamed = await receive.receive()
        threaded = await anyio.to_thread.run_sync(lambda: "from a thread")
        called = await anyio.to_thread.run_sync(anyio.from_thread.run, anyio.sleep, 0)
        return streamed, threaded, called

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == ("through a stream", "from a thread", None)
