"""Probes of a task, and the form in which their results are compared."""

import asyncio
import contextvars
import copy
import gc
import pickle
import re
import types
import weakref
from collections.abc import Callable
from typing import Any

Probe = Callable[[Any], Any]

CALLS: dict[str, list[tuple[Any, ...]]] = {
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

ATTRIBUTES = [
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

OWN = sorted(set(dir(asyncio.Task)) - set(dir(object)) - {"__module__"})
"""All that a task has beyond an object."""


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
        for name, all_arguments in CALLS.items()
        if name in OWN and name != "__class_getitem__"
        for arguments in all_arguments
        for how in ("task.", "Task.")
    },
    **{
        f"{how}{name}": _read(name, bound=how == "task.")
        for name in ATTRIBUTES
        if name in OWN
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
"""Probes that change nothing, but for what the loop reports."""

# AutoGen keeps its tasks in a set, which a callback of each one updates.
OF_AUTOGEN = {"task._callbacks", "Task._callbacks"}

# That an exception was retrieved, or a cancellation was raised, is kept by the task.
_KEPT = re.compile(r"exception\(|result\(|_make_cancelled_error|_log_traceback")

TOGETHER = [name for name in READS if name not in OF_AUTOGEN and not _KEPT.search(name)]
"""Probes that can be applied to one task, one after the other."""


# Parts of a text that differ from task to task.

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


def all_reads(task: Any) -> Any:
    return {name: observe(PROBES[name], task) for name in TOGETHER}
