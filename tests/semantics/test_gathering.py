"""Sends in `asyncio.gather`: they behave as tasks, without a task for each."""

import asyncio
import contextvars
import gc
import weakref

import pytest

from .scenario import Ask, Switch, echo, until, yield_to_loop

SENDER = contextvars.ContextVar("sender", default="unset")


async def test_gathered_messages_begin_in_their_order_and_after_what_was_there(scenario):
    began = []

    async def handler(self, message, ctx):
        began.append(message.value)
        await Switch()
        began.append(-message.value)

    async def other(name):
        began.append(name)

    await scenario.agent("a", handler, keys=range(4))
    scenario.start()
    before = asyncio.ensure_future(other("before"))
    gathered = asyncio.gather(*(scenario.ask("a", n, key=str(n)) for n in range(1, 4)))
    after = asyncio.ensure_future(other("after"))
    await asyncio.gather(before, gathered, after)
    if scenario.mode == "inline":
        assert began[:5] == ["before", 1, 2, 3, "after"]
    assert [one for one in began if one in (1, 2, 3)] == [1, 2, 3]
    assert sorted(one for one in began if one in (-1, -2, -3)) == [-3, -2, -1]


async def test_more_sends_than_one_iteration_allows_all_get_responses_and_do_not_starve_the_loop(
    scenario,
):
    iteration = 0

    async def handler(self, message, ctx):
        return iteration

    async def count():
        nonlocal iteration
        while True:
            iteration += 1
            await asyncio.sleep(0)

    await scenario.agent("a", handler)
    scenario.start()
    counting = asyncio.ensure_future(count())
    responses = await asyncio.gather(*(scenario.ask("a", number) for number in range(2000)))
    counting.cancel()
    assert len(responses) == 2000
    assert responses == sorted(responses)
    assert responses[-1] > responses[0]


async def test_agents_that_do_not_exist_yet_are_built_in_a_task(scenario):
    began, tasks = [], []

    async def handler(self, message, ctx):
        began.append(message.value)
        return message.value

    agent_class = scenario.agent_class(handler)

    def factory():
        tasks.append(asyncio.current_task())
        return agent_class("is built late")

    await scenario.runtime.register_factory("late", factory)
    await scenario.agent("a", handler, keys=["1", "3"])
    scenario.start()
    names = ("a", "late", "a")
    sends = [
        scenario.ask(name, number, key=str(number)) for number, name in enumerate(names, start=1)
    ]
    assert await asyncio.gather(*sends) == [1, 2, 3]
    assert isinstance(tasks[0], asyncio.Task)
    assert sorted(began) == [1, 2, 3]
    assert began.index(1) < began.index(3)


async def test_one_send_given_twice_is_sent_once(scenario):
    handled = []

    async def handler(self, message, ctx):
        handled.append(message.value)
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    send = scenario.ask("a", 1)
    assert await asyncio.gather(send, send) == [1, 1]
    assert handled == [1]


async def test_a_gathered_send_cannot_be_awaited_as_well(scenario):
    await scenario.agent("a", echo)
    scenario.start()
    send = scenario.ask("a", 1)
    gathered = asyncio.gather(send)
    assert await gathered == [1]
    with pytest.raises(RuntimeError, match="already awaited"):
        await send


async def test_a_send_passes_all_checks_for_a_coroutine(scenario):
    await scenario.agent("a", echo)
    scenario.start()
    send = scenario.ask("a", 1)
    assert asyncio.iscoroutine(send)
    assert not asyncio.isfuture(send)
    task = asyncio.ensure_future(send)
    assert isinstance(task, asyncio.Task)
    assert await task == 1


async def test_publishes_and_sends_are_gathered_together(scenario):
    handled = []

    async def handler(self, message, ctx):
        handled.append(message.value)
        return message.value

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    results = await asyncio.gather(
        scenario.publish("t", 1),
        scenario.ask("a", 2),
        scenario.publish("t", 3),
        scenario.ask("a", 4),
    )
    assert results == [None, 2, None, 4]
    await until(lambda: len(handled) == 4)
    assert handled == [1, 2, 3, 4]


async def test_handlers_that_gather_may_be_gathered(scenario):
    async def handler(self, message, ctx):
        depth, width = message.value
        if depth == 0:
            return 1
        return sum(
            await asyncio.gather(
                *(
                    self.send_message(Ask((depth - 1, width)), scenario.id("a", str(number)))
                    for number in range(width)
                )
            )
        )

    await scenario.agent("a", handler, keys=range(3))
    scenario.start()
    gathered = asyncio.gather(scenario.ask("a", (3, 3)), scenario.ask("a", (2, 2)))
    assert await asyncio.wait_for(gathered, 150) == [27, 4]


async def test_a_loop_that_makes_its_own_tasks_makes_them_for_a_gather(scenario):
    made = []

    def factory(loop, coroutine, **options):
        made.append(coroutine)
        return asyncio.Task(coroutine, loop=loop, **options)

    await scenario.agent("a", echo)
    scenario.start()
    await yield_to_loop()
    loop = asyncio.get_running_loop()
    loop.set_task_factory(factory)
    try:
        sends = [scenario.ask("a", number) for number in range(3)]
        assert await asyncio.gather(*sends) == [0, 1, 2]
        assert all(send in made for send in sends)
    finally:
        loop.set_task_factory(None)


async def test_callbacks_of_a_gather_run_in_the_context_it_was_made_in(scenario):
    seen = []

    async def handler(self, message, ctx):
        SENDER.set("the handler")

    await scenario.agent("a", handler)
    scenario.start()
    SENDER.set("who gathers")
    gathered = asyncio.gather(scenario.ask("a"))
    gathered.add_done_callback(lambda _: seen.append(SENDER.get()))
    await gathered
    await yield_to_loop()
    assert seen == ["who gathers"]
    assert SENDER.get() == "who gathers"


async def test_messages_and_responses_of_a_gather_are_freed(scenario):
    class Thing:
        pass

    seen = []

    async def handler(self, message, ctx):
        response = Thing()
        seen.append(weakref.ref(response))
        return response

    await scenario.agent("a", handler)
    scenario.start()
    message = Ask(Thing())
    seen.append(weakref.ref(message.value))
    gathered = asyncio.gather(scenario.runtime.send_message(message, scenario.id("a")))
    del message
    await gathered
    del gathered
    await yield_to_loop()
    gc.collect()
    assert [one() for one in seen] == [None, None]


async def test_nothing_of_a_gather_is_kept(scenario):
    if scenario.mode != "inline":
        pytest.skip("a task is kept by its loop")
    await scenario.agent("a", echo)
    scenario.start()
    message = Ask(1)
    freed = weakref.ref(message)
    gathered = asyncio.gather(scenario.runtime.send_message(message, scenario.id("a")))
    del message
    await gathered
    del gathered
    await yield_to_loop()
    gc.collect()
    assert freed() is None
