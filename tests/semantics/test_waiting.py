"""Awaiting in handlers: asyncio primitives, custom awaitables, and other objects."""

import asyncio

import pytest

from .scenario import Ask, Switch, until, yield_to_loop


async def run(scenario, handler, value=None):
    await scenario.agent("a", handler)
    scenario.start()
    return await scenario.ask("a", value)


async def test_a_bare_yield_resumes_the_handler_in_the_next_iteration(scenario):
    iterations = []

    async def handler(self, message, ctx):
        asyncio.get_running_loop().call_soon(iterations.append, 1)
        assert await Switch() is None
        assert iterations == [1]
        await Switch()
        return "resumed"

    assert await run(scenario, handler) == "resumed"


@pytest.mark.parametrize("first_yields", [0, 1])
@pytest.mark.parametrize("garbage", [42, "text", object(), (), False])
async def test_a_yield_of_something_else_is_an_error_in_the_handler(
    scenario, garbage, first_yields
):
    async def handler(self, message, ctx):
        await yield_to_loop(first_yields)
        with pytest.raises(RuntimeError, match="bad yield"):
            await Switch(garbage)
        await asyncio.sleep(0)
        return "went on"

    assert await run(scenario, handler) == "went on"


@pytest.mark.parametrize("first_yields", [0, 1])
async def test_a_future_that_is_yielded_instead_of_awaited_is_an_error(scenario, first_yields):
    async def handler(self, message, ctx):
        await yield_to_loop(first_yields)
        with pytest.raises(RuntimeError, match="yield was used instead of yield from"):
            await Switch(asyncio.get_running_loop().create_future())
        return "went on"

    assert await run(scenario, handler) == "went on"


@pytest.mark.parametrize("first_yields", [0, 1])
async def test_a_handler_that_awaits_its_own_task_gets_an_error(scenario, first_yields):
    async def handler(self, message, ctx):
        await yield_to_loop(first_yields)
        with pytest.raises(RuntimeError, match="Task cannot await on itself"):
            await asyncio.current_task()
        return "went on"

    assert await run(scenario, handler) == "went on"


@pytest.mark.parametrize("first_yields", [0, 1])
async def test_a_future_of_another_loop_is_an_error(scenario, first_yields):
    other = asyncio.new_event_loop()

    async def handler(self, message, ctx):
        await yield_to_loop(first_yields)
        with pytest.raises(RuntimeError, match="attached to a different loop"):
            await other.create_future()
        return "went on"

    assert await run(scenario, handler) == "went on"
    other.close()


async def test_a_future_that_is_done_already_does_not_suspend(scenario):
    async def handler(self, message, ctx):
        future = asyncio.get_running_loop().create_future()
        future.set_result("done")
        return await future

    assert await run(scenario, handler) == "done"


async def test_a_future_that_fails_or_is_done_right_after_the_first_step(scenario):
    async def handler(self, message, ctx):
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        if message.value == "fail":
            loop.call_soon(future.set_exception, KeyError("failed"))
        else:
            loop.call_soon(future.set_result, "done")
        return await future

    assert await run(scenario, handler) == "done"
    with pytest.raises(KeyError, match="failed"):
        await scenario.ask("a", "fail")


async def test_handlers_alternate_with_a_lock(scenario):
    lock, inside, most = asyncio.Lock(), [], []

    async def handler(self, message, ctx):
        async with lock:
            inside.append(1)
            most.append(len(inside))
            await asyncio.sleep(0)
            inside.pop()
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    responses = await asyncio.gather(*(scenario.ask("a", number) for number in range(20)))
    assert responses == list(range(20))
    assert max(most) == 1


async def test_handlers_meet_at_queues_conditions_and_semaphores(scenario):
    queue, condition, semaphore = asyncio.Queue(1), asyncio.Condition(), asyncio.Semaphore(2)
    ready = []

    async def handler(self, message, ctx):
        match message.value:
            case "put":
                for number in range(5):
                    await queue.put(number)
            case "get":
                return [await queue.get() for _ in range(5)]
            case "wait":
                async with condition:
                    await condition.wait_for(lambda: ready)
                    return "woken"
            case "notify":
                async with condition:
                    ready.append(1)
                    condition.notify_all()
            case "limited":
                async with semaphore:
                    await asyncio.sleep(0)
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    names = ("get", "put", "wait", "wait", "notify", "limited", "limited", "limited")
    got, _, *woken = await asyncio.gather(*(scenario.ask("a", name) for name in names))
    assert got == [0, 1, 2, 3, 4]
    assert woken[:2] == ["woken", "woken"]


async def test_a_handler_waits_for_a_task_it_made_earlier(scenario):
    gate = asyncio.Event()

    async def background():
        await gate.wait()
        return "from the background"

    async def handler(self, message, ctx):
        if message.value == "make":
            self.task = asyncio.create_task(background())
            return None
        gate.set()
        return await self.task

    await run(scenario, handler, "make")
    assert await scenario.ask("a", "wait") == "from the background"
    assert await scenario.ask("a", "again") == "from the background"


async def test_a_task_that_a_handler_made_outlives_it(scenario):
    done = []

    async def background():
        await yield_to_loop(5)
        done.append(asyncio.current_task())

    async def handler(self, message, ctx):
        self.task = asyncio.create_task(background())
        return asyncio.current_task()

    mine = await run(scenario, handler)
    await until(lambda: done)
    assert done[0] is not mine


async def test_a_handler_waits_for_the_task_of_another_handler(scenario):
    tasks, gate = [], asyncio.Event()

    async def handler(self, message, ctx):
        if message.value == "first":
            tasks.append(asyncio.current_task())
            await gate.wait()
            return "first"
        asyncio.get_running_loop().call_soon(gate.set)
        await asyncio.wait(tasks)
        return tasks[0].done()

    await scenario.agent("a", handler)
    scenario.start()
    first = asyncio.ensure_future(scenario.ask("a", "first"))
    await until(lambda: tasks)
    assert await scenario.ask("a", "second") is True
    assert await first == "first"


async def test_sleeping_for_real_and_waiting_for_a_timer(scenario):
    async def handler(self, message, ctx):
        loop = asyncio.get_running_loop()
        before, future = loop.time(), loop.create_future()
        loop.call_later(0.002, future.set_result, None)
        await future
        await asyncio.sleep(0.001, Ask())
        return loop.time() - before

    assert await run(scenario, handler) >= 0.002


async def test_a_subprocess(scenario):
    async def handler(self, message, ctx):
        process = await asyncio.create_subprocess_exec("cat", stdin=-1, stdout=-1)
        out, _ = await process.communicate(b"through a pipe")
        return out

    assert await run(scenario, handler) == b"through a pipe"
