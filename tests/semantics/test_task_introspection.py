"""Introspection of the task of a handler, by debuggers and monitors."""

import asyncio
import inspect

from .scenario import Ask, until


async def suspended(scenario):
    """Start a handler that is suspended, and return its task, its gate and what waits for it."""
    seen, gate = [], asyncio.Event()

    async def waits_for_the_gate(self, message, ctx):
        seen.append(asyncio.current_task())
        await gate.wait()

    await scenario.agent("a", waits_for_the_gate)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await until(lambda: seen)
    return seen[0], gate, asked


async def test_a_suspended_handler_is_among_all_tasks_until_it_ends(scenario):
    task, gate, asked = await suspended(scenario)
    assert task in asyncio.all_tasks()
    gate.set()
    await asked
    await until(task.done)
    assert task not in asyncio.all_tasks()


async def test_the_coroutine_of_the_task_can_be_inspected(scenario):
    task, gate, asked = await suspended(scenario)
    assert asyncio.iscoroutine(task.get_coro())
    assert "pending" in repr(task)
    gate.set()
    await asked
    await until(task.done)
    assert "finished" in repr(task)


async def test_the_representation_of_the_task_names_what_it_runs(scenario):
    async def named(self, message, ctx):
        before = repr(asyncio.current_task())
        await asyncio.sleep(0)
        return before, repr(asyncio.current_task())

    await scenario.agent("a", named)
    scenario.start()
    name = "_process_send() running" if scenario.is_upstream else "named() running"
    assert all(name in shown for shown in await scenario.ask("a"))


async def test_the_stack_of_a_suspended_task_can_be_printed(scenario, capsys):
    task, gate, asked = await suspended(scenario)
    assert [frame.f_code for frame in task.get_stack()]
    task.print_stack()
    assert 'File "' in capsys.readouterr().err
    gate.set()
    await asked


async def test_the_frames_a_handler_sees_begin_with_its_own(scenario):
    async def handler(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        return inspect.currentframe().f_code.co_name, len(inspect.stack()) > 1

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a", False) == ("handler", True)
    assert await scenario.ask("a", True) == ("handler", True)


async def test_a_task_knows_whether_it_is_done_from_inside_and_outside(scenario):
    seen = []

    async def handler(self, message, ctx):
        task = asyncio.current_task()
        seen.append(task)
        assert not task.done()
        await self.send_message(Ask(), scenario.id("b"))
        assert not task.done()

    async def other(self, message, ctx):
        assert not seen[0].done()
        await asyncio.sleep(0)
        assert not seen[0].done()

    await scenario.agent("a", handler)
    await scenario.agent("b", other)
    scenario.start()
    await scenario.ask("a")
    await until(seen[0].done)
    assert not seen[0].cancelled()
    assert seen[0].exception() is None


async def test_a_handler_that_awaits_another_agent_can_be_inspected(scenario):
    """Whether it is among all tasks is left open: only its sender awaits it."""
    seen, gate = [], asyncio.Event()

    async def waits(self, message, ctx):
        seen.append(asyncio.current_task())
        if message.value:
            await self.send_message(Ask(), scenario.id("b"))
        else:
            await gate.wait()

    await scenario.agent("a", waits)
    await scenario.agent("b", waits)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a", "pass on"))
    await until(lambda: len(seen) == 2)
    parent, leaf = seen
    assert leaf in asyncio.all_tasks()
    assert "pending" in repr(parent)
    assert not parent.done()
    gate.set()
    await asked
    await until(parent.done)
