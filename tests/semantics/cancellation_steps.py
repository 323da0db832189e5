"""Steps of random programs that cancel a chain of waiting agents."""

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Any

from .programs import Script
from .step_values import Own, describe_error


class CancellationSteps:
    """The steps that await a chain of agents and cancel the wait."""

    async def _give_up(
        self, here: Any, targets: Any, script: Script, last: Script, how: str, level: int
    ) -> None:
        """Await a chain of agents, the last of which waits forever; then cancel the wait."""
        name = here.where
        inner = Script((*script.steps, ("stay", name, len(targets) - 1, last)))
        for depth in reversed(range(1, len(targets))):
            inner = Script((("relay", name, depth - 1, targets[depth], inner, last),))
        token = self.core.CancellationToken()
        options = {"cancellation_token": token} if how == "token" else {}
        sending = self._sending(here, targets[0], inner, name, **options)
        work = asyncio.create_task(self._until_given_up(here, sending, targets, how))
        reached = asyncio.create_task(self.reached[name].wait())
        await asyncio.wait({work, reached}, return_when=asyncio.FIRST_COMPLETED)
        reached.cancel()
        its_task = self.tasks.get(f"{name}/{min(level, len(targets) - 1)}")
        if not work.done() and its_task is not None:
            if how in ("task", "gather", "gather errors"):
                work.cancel("given up")
            elif how == "token":
                token.cancel()
            elif how == "wait_for":
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(work, 0)
            elif how == "timeout":
                self.limits[name].reschedule(asyncio.get_running_loop().time())
            elif how == "handler":
                here.trace.append(("its task", its_task.cancel("from outside")))
            elif how == "name":
                its_task.set_name("its name")
                here.trace.append(("its task", its_task.get_name(), its_task.done()))
                its_task.cancel()
            elif how == "callback":
                its_task.add_done_callback(lambda done: here.trace.append(("done", done.done())))
                here.trace.append(("its task", its_task in asyncio.all_tasks()))
                work.cancel()
        outcome = await self._outcome(work)
        # Which message `gather` takes depends on scheduling.
        here.trace.append(
            ("given up", outcome.split("(")[0] if how == "gather errors" else outcome)
        )

    async def _until_given_up(self, here: Any, sending: Any, targets: Any, how: str) -> Any:
        name = here.where
        if how in ("gather", "gather errors"):
            others = [self._sending(here, targets[0], Script(), f"{name}.{n}") for n in range(2)]
            sends = [others[0], sending, others[1]]
            return await asyncio.gather(*sends, return_exceptions=how == "gather errors")
        if how == "timeout":
            async with asyncio.timeout(None) as self.limits[name]:
                return await sending
        if how == "group":
            try:
                async with asyncio.TaskGroup() as group:
                    task = group.create_task(sending)
                    reached = group.create_task(self.reached[name].wait())
                    await asyncio.wait({task, reached}, return_when=asyncio.FIRST_COMPLETED)
                    if not task.done():
                        raise Own("ends the group")
                    reached.cancel()
                return task.result()
            except BaseException as errors:  # noqa: BLE001 - a group, which came with 3.11
                return sorted(map(describe_error, getattr(errors, "exceptions", [errors])))
        return await sending

    async def _relay(
        self, here: Any, name: str, level: int, target: Any, script: Script, last: Script
    ) -> None:
        """Await the next agent, in a task that other steps can cancel."""
        sending = self._sending(here, target, script, here.where)
        await self._await_in_a_known_task(here, f"{name}/{level}", last, sending)

    async def _stay(self, here: Any, name: str, level: int, last: Script) -> None:
        if not self.never.event.is_set():  # it will be passed at once otherwise
            self.reached[name].set()
        waiting = self.never.wait("event")
        await self._await_in_a_known_task(here, f"{name}/{level}", last, waiting)

    async def _await_in_a_known_task(
        self, here: Any, name: str, last: Script, waiting: Awaitable[Any]
    ) -> None:
        self.tasks[name] = asyncio.current_task()
        try:
            here.trace.append(("awaited", str(await waiting)))
        except asyncio.CancelledError as error:
            here.trace.append(("cancelled while waiting", error.args))
            raise
        finally:
            del self.tasks[name]
            await self.follow(here.agent, last, f"{here.where}.last", here.trace, here.ctx, [])
