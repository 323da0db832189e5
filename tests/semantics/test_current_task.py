"""C1: inside a handler the current task is a real, lasting `asyncio.Task` of that delivery."""

import asyncio
import weakref

from .scenario import Ask, until, yield_to_loop


async def test_the_current_task_is_a_task_before_and_after_a_suspension(scenario):
    async def handler(self, message, ctx):
        before = asyncio.current_task()
        await yield_to_loop(2)
        after = asyncio.current_task()
        assert isinstance(before, asyncio.Task)
        assert before is after
        assert hash(before) == hash(after)
        return before

    await scenario.agent("a", handler)
    scenario.start()
    task = await scenario.ask("a")
    await until(task.done)
    assert task is not asyncio.current_task()


async def test_a_handler_that_never_suspends_has_a_task_of_its_own_too(scenario):
    async def handler(self, message, ctx):
        task = asyncio.current_task()
        assert isinstance(task, asyncio.Task)
        assert task is asyncio.current_task()
        assert task.get_loop() is asyncio.get_running_loop()
        assert not task.done()
        assert not task.cancelled()
        return task

    await scenario.agent("a", handler)
    scenario.start()
    tasks = [await scenario.ask("a") for _ in range(5)]
    assert len({id(task) for task in tasks}) == 5
    assert asyncio.current_task() not in tasks
    await yield_to_loop()
    assert all(task.done() for task in tasks)


async def test_the_callers_task_is_current_again_after_a_send(scenario):
    async def handler(self, message, ctx):
        if message.value == "suspend":
            await asyncio.sleep(0)
        if message.value == "raise":
            raise ValueError
        if message.value == "nest":
            mine = asyncio.current_task()
            inner = await self.send_message(Ask("plain"), scenario.id("a", "inner"))
            assert asyncio.current_task() is mine
            assert inner is not mine
        return asyncio.current_task()

    await scenario.agent("a", handler, keys=["default", "inner"])
    scenario.start()
    mine = asyncio.current_task()
    for value in ("plain", "suspend", "nest", "raise"):
        try:
            await scenario.ask("a", value)
        except ValueError:
            assert value == "raise"
        assert asyncio.current_task() is mine


async def test_each_recipient_of_a_publish_has_its_own_task(scenario):
    tasks = []

    async def handler(self, message, ctx):
        tasks.append(asyncio.current_task())

    for name in "abc":
        await scenario.agent(name, handler, topic="t")
    scenario.start()
    await scenario.publish("t")
    await scenario.publish("t")
    await until(lambda: len(tasks) == 6)
    assert len({id(task) for task in tasks}) == 6
    assert all(isinstance(task, asyncio.Task) for task in tasks)


async def test_the_task_can_be_named(scenario):
    async def handler(self, message, ctx):
        task = asyncio.current_task()
        assert isinstance(task.get_name(), str)
        assert task.get_name()
        task.set_name("mine")
        assert task.get_name() == "mine"
        assert "mine" in repr(task)
        await asyncio.sleep(0)
        assert asyncio.current_task().get_name() == "mine"

    await scenario.agent("a", handler)
    scenario.start()
    await scenario.ask("a")


async def test_state_kept_by_task_in_a_weak_dictionary_belongs_to_one_delivery(scenario):
    state = weakref.WeakKeyDictionary()
    gate = asyncio.Event()

    async def handler(self, message, ctx):
        assert asyncio.current_task() not in state
        state[asyncio.current_task()] = message.value
        if message.value % 2:
            await gate.wait()
        assert state[asyncio.current_task()] == message.value

    await scenario.agent("a", handler)
    scenario.start()
    asked = [asyncio.ensure_future(scenario.ask("a", number)) for number in range(10)]
    await yield_to_loop(60)
    gate.set()
    await asyncio.gather(*asked)


async def test_a_weak_reference_to_the_task_of_a_past_delivery_never_shows_another_one(scenario):
    references = []

    async def handler(self, message, ctx):
        references.append(weakref.ref(asyncio.current_task()))
        assert references[-1]() is asyncio.current_task()

    await scenario.agent("a", handler)
    scenario.start()
    for _ in range(20):
        await scenario.ask("a")
    alive = [reference() for reference in references if reference() is not None]
    assert len({id(task) for task in alive}) == len(alive)


async def test_done_callbacks_of_the_task_run_when_the_handler_has_ended(scenario):
    ended = []

    async def handler(self, message, ctx):
        asyncio.current_task().add_done_callback(lambda task: ended.append(message.value))
        if message.value == "suspends":
            await asyncio.sleep(0)
        assert ended in ([], ["runs through"])

    await scenario.agent("a", handler)
    scenario.start()
    await scenario.ask("a", "runs through")
    await until(lambda: ended)
    await scenario.ask("a", "suspends")
    await until(lambda: len(ended) == 2)


async def test_another_task_can_wait_for_the_task_of_a_handler(scenario):
    task_of, gate = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def handler(self, message, ctx):
        task_of.set_result(asyncio.current_task())
        await gate.wait()

    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    task = await task_of
    assert not task.done()
    gate.set()
    done, _ = await asyncio.wait({task})
    assert done == {task}
    await asked
