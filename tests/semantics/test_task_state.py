"""C1: every attribute and method of a handler's task behaves as in a task of its own.

A probe inspects or changes the task of a handler in a situation. What it observed, how the send
ended, and the state of the task in the end are recorded, and compared with the records of task mode
("tasks") and of AutoGen.
"""

import asyncio
import functools
import gc
from typing import Any

import autogen_core
import pytest

import ferrogen

from ..random_examples import IN_SOAK
from .scenario import Scenario, until, yield_to_loop
from .task_probes import (
    ATTRIBUTES,
    CALLS,
    OF_AUTOGEN,
    OWN,
    PROBES,
    READS,
    TOGETHER,
    Probe,
    all_reads,
    observe,
    shown,
)
from .task_situations import SITUATIONS, ProbeRun


def test_every_attribute_of_a_task_has_a_probe():
    assert set(OWN) - set(CALLS) - set(ATTRIBUTES) - {"__weakref__", "__dict__"} == set()


def record(mode: str, situation: str, probe: Probe, *, publish: bool = False) -> Any:
    """What is seen in one mode. Anything that the event loop reports is part of it."""

    async def run():
        with pytest.MonkeyPatch.context() as patch:
            if mode == "tasks":
                patch.setenv("FERROGEN_PLAIN_TASKS", "1")
            else:
                patch.delenv("FERROGEN_PLAIN_TASKS", raising=False)
            scenario = Scenario(autogen_core if mode == "upstream" else ferrogen, mode)
        scenario.collect_loop_errors()
        handler, outside = SITUATIONS[situation]
        seen = await ProbeRun(scenario, probe).play(handler, outside, publish=publish)
        return seen, [shown(context["message"]) for context in scenario.loop_errors]

    return asyncio.run(run())


ALL_READS = "all reads, one after the other"

# Here each read is the only one, in case that the first one affects the others.
ONE_READ_EACH = {"before_its_first_suspension", "after_waiting", "waits", "ended"}


@functools.cache
def recorded(mode: str, situation: str, name: str, publish: bool) -> Any:
    probe = all_reads if name == ALL_READS else PROBES[name]
    return record(mode, situation, probe, publish=publish)


def names_for(situation: str) -> list[str]:
    """A task is only read in another thread: asyncio allows no more."""
    names = READS if "thread" in situation else list(PROBES)
    if IN_SOAK or situation in ONE_READ_EACH:
        return names
    return [ALL_READS, *portion(situation, [name for name in names if name not in TOGETHER])]


def portion(situation: str, names: list[str]) -> list[str]:
    """All names in a soak, and else every sixth one: each has its turn in several situations."""
    return names if IN_SOAK else names[list(SITUATIONS).index(situation) % 6 :: 6]


def differing(situation: str, names: list[str], one: str, other: str, *, publish: bool) -> Any:
    """The probes whose records in two modes are not the same, with both."""
    records = {
        name: {mode: recorded(mode, situation, name, publish) for mode in (one, other)}
        for name in names
    }
    return {name: pair for name, pair in records.items() if pair[one] != pair[other]}


@pytest.mark.soak
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_task_of_a_handler_is_in_every_respect_as_in_autogen(situation, capfd):
    """Task mode is compared with AutoGen, and the default mode with task mode."""
    names = names_for(situation)
    shared = [name for name in names if name not in OF_AUTOGEN]
    assert differing(situation, shared, "upstream", "tasks", publish=False) == {}
    assert differing(situation, names, "tasks", "inline", publish=False) == {}
    names = portion(situation, names) if situation in ONE_READ_EACH else names
    assert differing(situation, names, "tasks", "inline", publish=True) == {}


# Tasks that a program finds among all objects.


def pending_tasks() -> list[Any]:
    """The pending tasks among all objects, but for the current one."""
    tasks = [one for one in gc.get_objects() if type(one) is asyncio.Task]
    return [task for task in tasks if task is not asyncio.current_task() and not task.done()]


async def test_changes_to_pooled_tasks_do_not_affect_the_next_handlers(scenario, capfd):
    if scenario.mode != "inline":
        pytest.skip("only inline handlers have pooled tasks")
    seen, ended, probed, differing = [], [], set(), {}

    async def handler(self, message, ctx):
        task = asyncio.current_task()
        seen.append((task.done(), task.cancelled(), task._must_cancel, task.get_name() == "named"))
        if message.value:
            await asyncio.sleep(0)
            await asyncio.sleep(0.0001)
        ended.append(message.value)
        return message.value

    async def messages():
        for value in (True, False, False):
            assert await scenario.ask("a", value) == value
            await scenario.publish("t", value)
            await until(lambda: len(ended) % 2 == 0)
        await yield_to_loop(3)

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    for name, probe in PROBES.items():
        if "__del__" in name:
            continue
        await messages()
        for task in pending_tasks():
            if type(task.get_coro()).__name__ == "Execution":
                observe(probe, task)
                probed.add(name)
        task = None
        seen.clear()
        await messages()
        if set(seen) != {(False, False, False, False)}:
            differing[name] = set(seen)
    assert differing == {}
    assert len(probed) == len([name for name in PROBES if "__del__" not in name])


async def test_tasks_of_handlers_that_have_suspended_are_reused(scenario):
    if scenario.mode != "inline":
        pytest.skip("only inline handlers have pooled tasks")
    names = []

    async def handler(self, message, ctx):
        names.append(asyncio.current_task().get_name())
        await asyncio.sleep(0.0001)
        names.append(asyncio.current_task().get_name())

    await scenario.agent("a", handler, topic="t")
    scenario.start()
    for count in range(20):
        await scenario.ask("a")
        await scenario.publish("t")
        await until(lambda ended=4 * (count + 1): len(names) == ended)
    assert len(set(names)) <= 2


async def test_tasks_of_handlers_are_reused_beside_tasks_of_others(scenario):
    if scenario.mode != "inline":
        pytest.skip("only inline handlers have pooled tasks")
    names = set()

    async def handler(self, message, ctx):
        names.add(asyncio.current_task().get_name())

    await scenario.agent("a", handler)
    scenario.start()
    for _ in range(20):
        # A new neighbor in the list of tasks that asyncio keeps from 3.14 on.
        await asyncio.create_task(asyncio.sleep(0))
        await scenario.ask("a")
    assert len(names) == 1


@pytest.mark.parametrize("yields", range(1, 5))
async def test_a_response_that_its_sender_did_not_take_is_not_the_next_response(scenario, yields):
    async def handler(self, message, ctx):
        for _ in range(2):
            await asyncio.sleep(0)
        return message.value

    await scenario.agent("a", handler)
    scenario.start()
    for value in range(20):
        left = scenario.ask("a", -value)
        left.send(None)
        left.close()
        await yield_to_loop(yields)
        assert await scenario.ask("a", value) == value


async def test_pooled_tasks_are_not_among_all_tasks(scenario):
    async def handler(self, message, ctx):
        return None

    await scenario.agent("a", handler)
    before = asyncio.all_tasks()
    scenario.start()
    for _ in range(3):
        await scenario.ask("a")
    await yield_to_loop(3)
    taking = 1 if scenario.is_upstream else 0  # AutoGen takes messages in a task
    assert len(asyncio.all_tasks() - before) == taking
