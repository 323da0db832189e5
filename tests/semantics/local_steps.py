"""Steps of random programs that involve no other agent."""

import asyncio
import contextlib
import sys
from typing import Any

from .programs import Script
from .step_values import VARIABLE, Base, Own, describe_error


class LocalSteps:
    """The steps that suspend, fail, time out, or use variables and the current task."""

    async def _yield(self, here: Any, count: int) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def _gate(self, here: Any, number: int, how: str) -> None:
        await self.gates[number].wait(how)

    async def _open(self, here: Any, number: int) -> None:
        await self.gates[number].open()

    async def _sleep(self, here: Any) -> None:
        with self._timed():
            await asyncio.sleep(0.0001)

    async def _soon(self, here: Any) -> None:
        """A `call_soon` callback runs before the yielding handler resumes."""
        loop, order = asyncio.get_running_loop(), []
        loop.call_soon(order.append, 1)
        done = loop.create_future()
        loop.call_soon(done.set_result, 2)
        await asyncio.sleep(0)
        order.append(await done)
        here.trace.append(("soon", tuple(order)))

    async def _lock(self, here: Any) -> None:
        async with self.lock:
            await asyncio.sleep(0)

    async def _queue(self, here: Any) -> None:
        own: asyncio.Queue[int] = asyncio.Queue()
        asyncio.get_running_loop().call_soon(own.put_nowait, 1)
        here.trace.append(("queue", await own.get()))

    async def _generator(self, here: Any) -> None:
        async def numbers() -> Any:
            try:
                for number in range(2):
                    await asyncio.sleep(0)
                    yield number, asyncio.current_task()
            finally:
                await asyncio.sleep(0)

        task = asyncio.current_task()
        async with contextlib.aclosing(numbers()) as stream:
            async for _, its_task in stream:
                here.trace.append(("generated", its_task is task))

    async def _set_variable(self, here: Any, value: int) -> None:
        here.trace.append(("was", VARIABLE.get()))
        here.memory["token"] = VARIABLE.set(value)

    async def _get_variable(self, here: Any) -> None:
        here.trace.append(("variable", VARIABLE.get()))

    async def _reset_variable(self, here: Any) -> None:
        token = here.memory.pop("token", None)
        if token is not None:
            VARIABLE.reset(token)
            here.trace.append(("reset", VARIABLE.get()))

    async def _set_name(self, here: Any, name: str) -> None:
        asyncio.current_task().set_name(name)
        here.memory["name"] = name

    async def _get_name(self, here: Any) -> None:
        if "name" in here.memory:
            here.trace.append(("name", asyncio.current_task().get_name()))

    async def _touch(self, here: Any) -> None:
        task = asyncio.current_task()
        is_same = here.memory.setdefault("task", task) is task
        known = task in asyncio.all_tasks() if not task.done() else None
        here.trace.append(("touched", is_same, known, isinstance(task, asyncio.Task)))

    async def _know_myself(self, here: Any) -> None:
        task = asyncio.current_task()
        is_same = here.memory.setdefault("task", task) is task
        here.trace.append(("I", is_same, here.ctx and here.ctx.cancellation_token.is_cancelled()))

    async def _handled_exception(self, here: Any) -> None:
        handled = sys.exc_info()[1]
        here.trace.append(("handles", handled and describe_error(handled)))

    async def _fail(self, here: Any, how: str) -> None:
        if how == "cause":
            try:
                raise KeyError("cause")
            except KeyError as error:
                raise Own("effect") from error
        raise {
            "value": ValueError("v"),
            "key": KeyError("k"),
            "own": Own("o", 1),
            "stop": StopAsyncIteration("s"),
            "cancelled": asyncio.CancelledError("c"),
            "timeout": asyncio.TimeoutError("t"),
            "base": Base("b"),
        }[how]

    async def _cancel_myself(self, here: Any, catches: bool) -> None:
        task = asyncio.current_task()
        here.trace.append(("asked", task.cancel("by myself")))
        try:
            await asyncio.sleep(0)
            here.trace.append("not cancelled")
        except asyncio.CancelledError as error:
            here.trace.append(("cancelled", error.args))
            if not catches:
                raise
            if hasattr(task, "uncancel"):
                here.trace.append(("left", task.uncancel()))

    async def _time_out(self, here: Any, how: str) -> None:
        never = asyncio.get_running_loop().create_future()
        try:
            with self._timed():
                if how == "wait_for":
                    await asyncio.wait_for(never, 0.0005)
                elif how == "zero":
                    await asyncio.wait_for(never, 0)
                elif hasattr(asyncio, "timeout"):
                    async with asyncio.timeout(0.0005):
                        await never
        except asyncio.TimeoutError as error:
            here.trace.append(("timed out", describe_error(error)))

    async def _inside(self, here: Any, what: str, script: Script) -> None:
        def follow() -> Any:
            return self.follow(here.agent, script, here.where, here.trace, here.ctx, [])

        if what == "except":
            try:
                raise KeyError("being handled")
            except KeyError:
                await follow()
        elif what == "finally":
            try:
                pass
            finally:
                await follow()
        elif what == "variable":
            token = VARIABLE.set(99)
            try:
                await follow()
            finally:
                VARIABLE.reset(token)
        else:

            @contextlib.asynccontextmanager
            async def manager() -> Any:
                try:
                    yield
                finally:
                    await asyncio.sleep(0)
                    here.trace.append("managed")

            async with manager():
                await follow()
