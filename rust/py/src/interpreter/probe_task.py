"""Find where this CPython keeps the state of an `asyncio.Task`, when the extension is imported.

`words(task)` returns the task's memory as integers, except what changes without its state changing.
"""

import asyncio
import threading
import weakref
from _asyncio import Task
from asyncio import events


class Loop:
    """Records scheduled calls; runs them on demand."""

    def __init__(self):
        self.calls = []

    def get_debug(self):
        return False

    def is_running(self):
        return True

    def call_soon(self, callback, *arguments, context=None):
        self.calls.append((callback, arguments))

    def run(self):
        calls, self.calls = self.calls, []
        # From 3.14 on a task refuses to be stepped outside of its running loop.
        events._set_running_loop(self)
        try:
            for callback, arguments in calls:
                callback(*arguments)
        finally:
            events._set_running_loop(None)


class Future:
    """What a task waits for: counts nothing, ends never."""

    _asyncio_future_blocking = True

    def __init__(self, loop):
        self.loop = loop

    def get_loop(self):
        return self.loop

    def add_done_callback(self, callback, *, context):
        self.callback, self.context = callback, context

    def cancel(self, msg=None):
        return False

    def __await__(self):
        yield self


async def wait_for(future):
    await future


def make_task(loop):
    future = Future(loop)
    task = Task(wait_for(future), loop=loop, name="probe")
    loop.run()
    asyncio.tasks._unregister_task(task)
    task._log_destroy_pending = False
    return task, future


def only(name, found):
    if len(found) != 1:
        raise RuntimeError(f"found {len(found)} places for {name}")
    return found[0]


def find(words):
    """Return where a task keeps its parts.

    These are the indexes of the future that it waits for, of its context, of its event loop, of the
    flag `_log_destroy_pending` with its bit, and of what belongs to other tasks.
    """
    loop = Loop()
    before = make_task(loop)
    task, future = make_task(loop)
    after = make_task(loop)
    seen = words(task)
    waiter = only(
        "the future that a task waits for", [i for i, word in enumerate(seen) if word == id(future)]
    )
    context = only(
        "the context of a task", [i for i, word in enumerate(seen) if word == id(future.context)]
    )
    event_loop = only(
        "the event loop of a task", [i for i, word in enumerate(seen) if word == id(loop)]
    )
    task._log_destroy_pending = True
    flags = {
        i: word ^ old
        for i, (word, old) in enumerate(zip(words(task), seen, strict=True))
        if word != old
    }
    log_flag = only("the flag _log_destroy_pending", list(flags))
    if flags[log_flag].bit_count() != 1:
        raise RuntimeError("the flag _log_destroy_pending is not one bit")
    task._log_destroy_pending = False
    # From 3.14 on tasks are in a linked list: the words of its links change with the neighbors.
    all_three = (before[0], task, after[0])
    for one in all_three:
        asyncio.tasks._register_task(one)
    between = words(task)
    for one in (before[0], after[0]):
        asyncio.tasks._unregister_task(one)
    alone = words(task)
    asyncio.tasks._unregister_task(task)
    links = [i for i, word in enumerate(between) if word != alone[i]]
    if {waiter, context, event_loop} & set(links):
        raise RuntimeError("the links of a task are not told from its state")
    check_changes(words, loop, links)
    for one in all_three:
        one._log_destroy_pending = False
    return waiter, context, event_loop, log_flag, flags[log_flag], links


def check_changes(words, loop, links):
    """Checks that whatever programs do to a task shows in its words."""
    references = []
    changes = {
        "set_name": lambda task: task.set_name("another"),
        "add_done_callback": lambda task: task.add_done_callback(print),
        "cancel": lambda task: task.cancel(),
        "_log_destroy_pending": lambda task: setattr(task, "_log_destroy_pending", True),
        "a weak reference": lambda task: references.append(weakref.ref(task)),
        "an attribute": lambda task: setattr(task, "of_the_program", 1),
    }
    for name, change in changes.items():
        task, _future = make_task(loop)
        seen = words(task)
        change(task)
        if not any(
            word != old
            for i, (word, old) in enumerate(zip(words(task), seen, strict=True))
            if i not in links
        ):
            raise RuntimeError(f"{name} does not show in the state of a task")
        task._log_destroy_pending = False


def find_in_thread(words):
    """Run `find` in a thread of its own, which has neither a running loop nor a current task."""
    found = []

    def work():
        events._set_running_loop(None)
        try:
            found.append(find(words))
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work, name="ferrogen-probe")
    thread.start()
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]
