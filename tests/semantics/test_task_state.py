"""C1: every attribute and method of a handler's task behaves as in a task of its own.

A probe inspects or changes the task of a handler in a situation. What it observed, how the send
ended, and the state of the task in the end are recorded, and compared with the records of task mode
("tasks") and of AutoGen.
"""

import asyncio
import contextvars
import copy
import functools
import gc
import pickle
import re
import threading
import types
import weakref
from collections.abc import Callable
from typing import Any

import autogen_core
import pytest

import ferrogen

from .scenario import Ask, Scenario, until, yield_to_loop

Probe = Callable[[Any], Any]


# Probes.

_CALLS: dict[str, list[tuple[Any, ...]]] = {
    "__await__": [()],
    "__class__": [],
    "__class_getitem__": [(int,)],
    "__del__": [()],
    "__iter__": [()],
    "_make_cancelled_error": [()],
    "_repr_info": [()],
    "add_done_callback": [(print,), ()],
    "cancel": [(), ("with a message",), (1, 2)],
    "cancelled": [(), (1,)],
    "cancelling": [()],
    "done": [(), (1,)],
    "exception": [()],
    "get_context": [()],
    "get_coro": [()],
    "get_loop": [()],
    "get_name": [()],
    "get_stack": [()],
    "print_stack": [()],
    "remove_done_callback": [(print,)],
    "result": [()],
    "set_exception": [(KeyError("set"),)],
    "set_name": [("named",), (7,)],
    "set_result": [("set",)],
    "uncancel": [()],
}
"""Methods, and the arguments that they are called with."""

_ATTRIBUTES = [
    "_asyncio_awaited_by",
    "_asyncio_future_blocking",
    "_callbacks",
    "_cancel_message",
    "_cancelled_traceback",
    "_coro",
    "_exception",
    "_fut_waiter",
    "_log_destroy_pending",
    "_log_traceback",
    "_loop",
    "_must_cancel",
    "_result",
    "_source_traceback",
    "_state",
]

_OWN = sorted(set(dir(asyncio.Task)) - set(dir(object)) - {"__module__"})
"""All that a task has beyond an object."""


def test_every_attribute_of_a_task_has_a_probe():
    assert set(_OWN) - set(_CALLS) - set(_ATTRIBUTES) - {"__weakref__", "__dict__"} == set()


def _call(name: str, arguments: tuple[Any, ...], *, bound: bool) -> Probe:
    def probe(task):
        if bound:
            return getattr(task, name)(*arguments)
        return getattr(asyncio.Task, name)(task, *arguments)

    return probe


def _read(name: str, *, bound: bool) -> Probe:
    def probe(task):
        return getattr(task, name) if bound else getattr(asyncio.Task, name).__get__(task)

    return probe


def _own_attributes(task):
    task.__dict__["marked"] = task.extra = 1
    return task.__dict__, task.marked, vars(task) is task.__dict__, delattr(task, "extra")


def _cancels_twice_and_takes_one_back(task):
    return task.cancel("first"), task.cancel("second"), task.uncancel(), task.cancelling()


def _write(name: str, value: Any) -> Probe:
    return lambda task: (setattr(task, name, value), getattr(task, name))


def _callback_states(task):
    seen = []
    task.add_done_callback(lambda task: seen.append(state(task)))
    task.add_done_callback(print)
    return task.remove_done_callback(print), len(task._callbacks or ()) > 0


PROBES: dict[str, Probe] = {
    **{
        f"{how}{name}({', '.join(map(repr, arguments))})": _call(
            name, arguments, bound=how == "task."
        )
        for name, all_arguments in _CALLS.items()
        if name in _OWN and name != "__class_getitem__"
        for arguments in all_arguments
        for how in ("task.", "Task.")
    },
    **{
        f"{how}{name}": _read(name, bound=how == "task.")
        for name in _ATTRIBUTES
        if name in _OWN
        for how in ("task.", "Task.")
    },
    "type": lambda task: (
        type(task) is asyncio.Task,
        task.__class__,
        isinstance(task, asyncio.Future),
    ),
    "isfuture": lambda task: (asyncio.isfuture(task), asyncio.iscoroutine(task)),
    "hash": lambda task: (hash(task) == hash(task), task == object()),
    "repr": repr,
    "str": str,
    "weakref": lambda task: (weakref.ref(task)() is task, weakref.ref(task) == weakref.ref(task)),
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": pickle.dumps,
    "own attributes": _own_attributes,
    "slots": lambda task: task.surely_missing,
    "set _log_destroy_pending": _write("_log_destroy_pending", False),
    "set _log_traceback": _write("_log_traceback", True),
    "set _must_cancel": lambda task: setattr(task, "_must_cancel", True),
    "set _fut_waiter": lambda task: setattr(task, "_fut_waiter", None),
    "set _state": lambda task: setattr(task, "_state", "FINISHED"),
    "set __class__": lambda task: setattr(task, "__class__", dict),
    "callbacks": _callback_states,
    "add_done_callback with a context": lambda task: task.add_done_callback(
        print, context=contextvars.copy_context()
    ),
    "cancel twice": _cancels_twice_and_takes_one_back,
    "uncancel": lambda task: (task.uncancel(), task.cancelling(), task._must_cancel),
    "cancel and uncancel": lambda task: (task.cancel(), task.uncancel(), task._must_cancel),
    "stack of one": lambda task: len(task.get_stack(limit=1)),
    "wrap_future": lambda task: asyncio.wrap_future(task) is task,
    "ensure_future": lambda task: asyncio.ensure_future(task) is task,
    "all_tasks": lambda task: task in asyncio.all_tasks(task.get_loop()),
    "get_objects": lambda task: any(one is task for one in gc.get_objects()),
}

READS = [
    name
    for name in PROBES
    if not re.search(
        r"cancel\(|uncancel|set_|set |del__|callback|twice|_name\(|own|await|iter", name
    )
]
"""Probes that change nothing."""


# What a probe has observed, without what differs from task to task.

_OF_ONE_TASK = [
    (re.compile(r" at 0x[0-9a-f]+"), ""),
    (re.compile(r"name='Task-\d+'"), "name=..."),
    (re.compile(r" coro=<.*?>(?= |>)", re.DOTALL), ""),
    (re.compile(r" cb=\[.*?\](?= |>)", re.DOTALL), ""),
    (re.compile(r"wait_for=<.*?>(?= |>|\])", re.DOTALL), "wait_for=..."),
    (re.compile(r" created at [^ >]*"), ""),
    (re.compile(r"Task-\d+"), "Task-..."),
]


def shown(value: Any) -> Any:  # noqa: PLR0912 - one branch for each type
    match value:
        case None | bool() | int():
            return value
        case str():
            for pattern, replacement in _OF_ONE_TASK:
                value = pattern.sub(replacement, value)
            return (
                value[: value.index("[")] if value.startswith("<Task") and "[" in value else value
            )
        case BaseException():
            return type(value), shown(str(value))
        case asyncio.Task():
            return "a task"
        case _ if asyncio.isfuture(value):
            return "a future"
        case type():
            return value
        case contextvars.Context():
            return "a context"
        case types.FrameType() | types.TracebackType():
            return "a frame"
        case list() if value and isinstance(value[0], str):
            return [shown(value[0])]  # of _repr_info
        case list():
            return "a list of some" if value else "an empty list"
        case tuple():
            return tuple(shown(one) for one in value)
        case dict():
            return {key: shown(one) for key, one in value.items()}
        case _ if asyncio.iscoroutine(value):
            return "a coroutine"
        case asyncio.AbstractEventLoop():
            return "the loop"
        case _:
            return type(value).__name__.removeprefix("_asyncio.")


def observe(probe: Probe, task: Any) -> Any:
    try:
        return shown(probe(task))
    except BaseException as error:  # noqa: BLE001 - it is recorded
        return "raised", shown(error)


def state(task: Any) -> Any:
    how = task.done(), task.cancelled(), task.cancelling() if hasattr(task, "cancelling") else 0
    if task.cancelled() or not task.done():
        return how
    return *how, shown(task.exception()), None if task.exception() else shown(task.result())


# Situations.


class ProbeRun:
    """One runtime, an agent `a` whose task is probed, and an agent `b` that waits for a gate."""

    def __init__(self, scenario: Scenario, probe: Probe) -> None:
        self.scenario = scenario
        self.probe = probe
        self.observed: list[Any] = []
        self.tasks: list[asyncio.Task[Any]] = []
        self.gate = asyncio.Event()

    def apply(self) -> None:
        self.observed.append(observe(self.probe, self.tasks[0]))

    def enter(self) -> None:
        if not self.tasks:
            self.tasks.append(asyncio.current_task())

    async def play(self, handler: Any, outside: Any = None, *, publish: bool = False) -> Any:
        scenario = self.scenario
        raised = []

        async def handle(agent, message, ctx):
            self.enter()
            try:
                return await handler(agent, self)
            except BaseException as error:
                raised.append(shown(error))
                raise

        async def waits(agent, message, ctx):
            await self.gate.wait()

        await scenario.agent("a", handle, topic="t")
        await scenario.agent("b", waits)
        scenario.start()
        call = scenario.publish("t") if publish else scenario.ask("a")
        sender = asyncio.ensure_future(settled(call))
        if outside is not None:
            await until(lambda: self.tasks)
            await yield_to_loop(3)
            await outside(self)
        outcome = await asyncio.wait_for(sender, 2)
        await yield_to_loop(5)
        self.gate.set()
        await scenario.idle()
        await yield_to_loop(5)
        assert self.observed, "the probe was never applied"
        return self.observed, raised, outcome, [state(task) for task in self.tasks]


async def settled(awaitable: Any) -> Any:
    try:
        return shown(await awaitable)
    except BaseException as error:  # noqa: BLE001 - it is recorded
        return "raised", shown(error)


async def before_its_first_suspension(agent, run):
    run.apply()
    return "ended"


async def before_and_goes_on(agent, run):
    run.apply()
    await yield_to_loop(3)
    return "ended"


async def after_sleeping(agent, run):
    await asyncio.sleep(0)
    run.apply()
    await asyncio.sleep(0)
    return "ended"


async def after_waiting(agent, run):
    await asyncio.sleep(0.001)
    run.apply()
    await asyncio.sleep(0.001)
    return "ended"


async def after_another_agent(agent, run):
    asyncio.get_running_loop().call_later(0.002, run.gate.set)
    await agent.send_message(Ask(), run.scenario.id("b"))
    run.apply()
    await asyncio.sleep(0)
    return "ended"


async def in_another_thread(agent, run):
    thread = threading.Thread(target=run.apply)
    thread.start()
    thread.join()
    return "ended"


async def in_a_callback(agent, run):
    asyncio.get_running_loop().call_soon(run.apply)
    await asyncio.sleep(0.002)
    return "ended"


async def in_a_callback_of_its_iteration(agent, run):
    asyncio.get_running_loop().call_soon(run.apply)
    await yield_to_loop(4)
    return "ended"


async def in_its_own_done_callback(agent, run):
    run.tasks[0].add_done_callback(lambda task: run.apply())
    return "ended"


async def in_a_done_callback_after_a_wait(agent, run):
    run.tasks[0].add_done_callback(lambda task: run.apply())
    await asyncio.sleep(0.001)
    return "ended"


async def in_its_exception_handler(agent, run):
    try:
        raise ValueError("its own")
    except ValueError:
        run.apply()
    return "ended"


async def twice(agent, run):
    run.apply()
    run.apply()
    await asyncio.sleep(0)
    run.apply()
    return "ended"


INSIDE = [
    before_its_first_suspension,
    before_and_goes_on,
    after_sleeping,
    after_waiting,
    after_another_agent,
    in_another_thread,
    in_a_callback,
    in_a_callback_of_its_iteration,
    in_its_own_done_callback,
    in_a_done_callback_after_a_wait,
    in_its_exception_handler,
    twice,
]


async def waits(agent, run):
    await run.gate.wait()
    return "ended"


async def awaits_agent(agent, run):
    await agent.send_message(Ask(), run.scenario.id("b"))
    return "ended"


async def catches(agent, run):
    try:
        await run.gate.wait()
    except asyncio.CancelledError:
        await asyncio.sleep(0)
    return "ended"


async def awaits_agent_and_catches(agent, run):
    try:
        await agent.send_message(Ask(), run.scenario.id("b"))
    except asyncio.CancelledError:
        await asyncio.sleep(0)
    return "ended"


async def ends(agent, run):
    return "ended"


async def fails(agent, run):
    raise KeyError("its own")


async def fails_later(agent, run):
    await asyncio.sleep(0.001)
    raise KeyError("its own")


async def is_cancelled(agent, run):
    raise asyncio.CancelledError("its own")


async def outside(run):
    run.apply()
    await yield_to_loop(4)
    run.gate.set()


async def outside_in_a_thread(run):
    await asyncio.to_thread(run.apply)
    run.gate.set()


async def outside_after_the_end(run):
    await asyncio.sleep(0.003)
    await yield_to_loop(3)
    run.apply()


OUTSIDE = {
    "waits": (waits, outside),
    "awaits_agent": (awaits_agent, outside),
    "catches": (catches, outside),
    "awaits_agent_and_catches": (awaits_agent_and_catches, outside),
    "waits, in a thread": (waits, outside_in_a_thread),
    "awaits_agent, in a thread": (awaits_agent, outside_in_a_thread),
    "ended": (ends, outside_after_the_end),
    "failed": (fails, outside_after_the_end),
    "failed_later": (fails_later, outside_after_the_end),
    "cancelled": (is_cancelled, outside_after_the_end),
}

SITUATIONS: dict[str, tuple[Any, Any]] = {
    **{handler.__name__: (handler, None) for handler in INSIDE},
    **OUTSIDE,
}


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


@functools.cache
def recorded(mode: str, situation: str, name: str, publish: bool) -> Any:
    return record(mode, situation, PROBES[name], publish=publish)


def names_for(situation: str) -> list[str]:
    """A task is only read in another thread: asyncio allows no more."""
    return READS if "thread" in situation else list(PROBES)


def differing(situation: str, names: list[str], one: str, other: str, *, publish: bool) -> Any:
    """The probes whose records in two modes are not the same, with both."""
    records = {
        name: {mode: recorded(mode, situation, name, publish) for mode in (one, other)}
        for name in names
    }
    return {name: pair for name, pair in records.items() if pair[one] != pair[other]}


# AutoGen keeps its tasks in a set, which a callback of each one updates.
_OF_AUTOGEN = {"task._callbacks", "Task._callbacks"}


@pytest.mark.parametrize("mode", ["tasks", "inline"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_task_of_a_sent_message_is_in_every_respect_as_in_autogen(mode, situation, capfd):
    names = [name for name in names_for(situation) if name not in _OF_AUTOGEN]
    assert differing(situation, names, "upstream", mode, publish=False) == {}


@pytest.mark.parametrize("publish", [False, True], ids=["sent", "published"])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_the_task_of_a_handler_is_in_every_respect_as_in_task_mode(situation, publish, capfd):
    names = names_for(situation)
    assert differing(situation, names, "tasks", "inline", publish=publish) == {}


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
