"""The one place through which every call of a tool passes, if there are guards.

Calls of tools and of workbenches come here. A workbench that calls a tool makes one call of it:
`Passed` has the guards that the call of the workbench passed, and the tool does not ask them again.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import AsyncExitStack, ExitStack, aclosing, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from ferrogen._core import CancellationToken
from ferrogen.exceptions import ToolCancelledError
from ferrogen.tools.cancellation import end_of, parts_of
from ferrogen.tools.context import (
    CHARGE,
    DEADLINE,
    ProgressListener,
    origin_of_call,
    tool_progress,
)
from ferrogen.tools.guarding.decisions import ToolCall
from ferrogen.tools.guarding.guard import Decided, Guard
from ferrogen.tools.guarding.scopes import guards_of
from ferrogen.tools.jsonable import jsonable

_ValueT = TypeVar("_ValueT")
Guards = tuple[Guard, ...]
Admissions = list[tuple[Guard, Decided]]
Check = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(eq=False)
class Passed:
    """A call of a workbench, or of a tool with a ``run_json`` of its own, and its guards."""

    guards: Guards
    name: str
    arguments: Any


_PASSED: ContextVar[Passed | None] = ContextVar("ferrogen_passed_guards", default=None)


@dataclass(eq=False)
class GuardedCall:
    """A call and what it has to pass.

    Args:
        guards: The guards, the outermost first.
        name: The name of the tool.
        call_id: The id that the model gave to the call.
        token: The token of the call.
        check: Validates the arguments with the changes that it gets, and returns them as JSON
            would have them.
        arguments: The arguments as they came.
        before: The guards that the call has passed already, if the code that runs makes it again,
            at a tool; None if that code is the tool.
    """

    guards: Guards
    name: str
    call_id: str | None
    token: CancellationToken
    check: Check
    arguments: Any
    before: Guards | None = None

    async def run(self, work: Callable[[Any], Awaitable[_ValueT]]) -> _ValueT:
        """Let the call pass, and make it.

        Args:
            work: Makes the call, with the arguments as they are after changes.

        Raises:
            ToolRefusedError: A guard does not let it pass.
        """
        async with AsyncExitStack() as stack:
            admissions = await self._admit(stack)
            arguments = self._merged(admissions)
            with self._around(arguments, admissions):
                return await self._timed(partial(work, arguments), admissions)

    async def stream(
        self, work: Callable[[Any], AsyncGenerator[_ValueT, None]]
    ) -> AsyncGenerator[_ValueT, None]:
        """Let the call of a stream pass, and yield what it yields.

        Args:
            work: Makes the stream, with the arguments as they are after changes.

        Raises:
            ToolRefusedError: A guard does not let it pass.
        """
        async with AsyncExitStack() as stack:
            admissions = await self._admit(stack)
            arguments = self._merged(admissions)
            limit = CancellationToken()
            seconds = _soonest(admissions)
            if seconds is not None:
                timer = asyncio.get_running_loop().call_later(seconds, limit.cancel)
                stack.callback(timer.cancel)
            try:
                inside = self._inside(work, arguments, admissions)
                async with aclosing(parts_of(inside, limit)) as parts:
                    async for part in parts:
                        yield part
            except ToolCancelledError:
                if limit.is_cancelled():
                    raise self._out_of_time(admissions) from None
                raise

    async def _admit(self, stack: AsyncExitStack) -> Admissions:
        caller, _, conversation = origin_of_call()
        call = ToolCall(self.name, jsonable(self.arguments), self.call_id, caller, conversation)
        try:
            call = replace(call, arguments=self.check({}))
        except Exception as error:
            for guard in self.guards:
                await guard.note_invalid(call, error)
            raise
        changes: dict[str, Any] = {}
        admissions = []
        for guard in self.guards:
            revalidate = partial(self._check_more, dict(changes))
            decided = await stack.enter_async_context(guard.decide(call, self.token, revalidate))
            changes.update(decided.changes)
            call = decided.call
            admissions.append((guard, decided))
        for guard, decided in admissions:
            decided.call = call  # as the last guard has changed it
            await stack.enter_async_context(guard.admit(decided))
        return admissions

    def _check_more(self, known: Mapping[str, Any], more: Mapping[str, Any]) -> Mapping[str, Any]:
        return self.check({**known, **more})

    def _merged(self, admissions: Admissions) -> Any:
        changes: dict[str, Any] = {}
        for _, admission in admissions:
            changes.update(admission.changes)
        if not changes:
            return self.arguments
        given = self.arguments if isinstance(self.arguments, Mapping) else {}
        return {**given, **changes}

    @contextmanager
    def _around(self, arguments: Any, admissions: Admissions) -> Generator[None, None, None]:
        """Set what the call finds in its context."""
        passed = None
        if self.before is not None:
            passed = Passed((*self.before, *self.guards), self.name, arguments)
        tokens: list[tuple[ContextVar[Any], Any]] = [(_PASSED, _PASSED.set(passed))]
        if admissions:
            tokens.append((CHARGE, CHARGE.set(self._charge)))
        seconds = _soonest(admissions)
        if seconds is not None:
            own = time.monotonic() + seconds
            outer = DEADLINE.get()
            tokens.append((DEADLINE, DEADLINE.set(own if outer is None else min(own, outer))))
        listeners = [guard.on_progress for guard, _ in admissions if guard.on_progress is not None]
        try:
            with _listening(listeners):
                yield
        finally:
            for variable, token in reversed(tokens):
                variable.reset(token)

    async def _inside(
        self,
        work: Callable[[Any], AsyncGenerator[_ValueT, None]],
        arguments: Any,
        admissions: Admissions,
    ) -> AsyncGenerator[_ValueT, None]:
        """Yield the parts of a stream, in a task of its own, whose context it changes."""
        with self._around(arguments, admissions):
            async with aclosing(work(arguments)) as parts:
                async for part in parts:
                    yield part

    async def _timed(
        self, work: Callable[[], Awaitable[_ValueT]], admissions: Admissions
    ) -> _ValueT:
        seconds = _soonest(admissions)
        if seconds is None:
            return await work()
        running: asyncio.Future[_ValueT] = asyncio.ensure_future(work())
        try:
            done, _ = await asyncio.wait({running}, timeout=seconds)
        finally:
            await end_of(running)
        if done:
            return running.result()
        raise self._out_of_time(admissions)

    def _charge(self, cost: float) -> None:
        with ExitStack() as stack:
            for guard in self.guards:  # each of them counts it, also if another one raises
                stack.callback(guard.charge, self.name, cost)

    def _out_of_time(self, admissions: Admissions) -> Exception:
        limited = [each for each in admissions if each[1].seconds is not None]
        guard, _ = min(limited, key=lambda each: each[1].seconds or 0.0)
        return guard.out_of_time(self.name)


def guarded_call(
    attached: Guards,
    name: str,
    call_id: str | None,
    token: CancellationToken | None,
    arguments: Any,
    check: Check | None = None,
    *,
    delegates: bool = False,
    only_attached: bool = False,
) -> GuardedCall | None:
    """Return a call with the guards that it has still to pass.

    Args:
        attached: The guards of the tool or the workbench itself.
        name: The name of the tool.
        call_id: The id that the model gave to the call.
        token: The token of the call.
        arguments: The arguments as they came.
        check: Validates them, see `GuardedCall`; by default they are as they are.
        delegates: Whether the code that runs makes the call again, at a tool.
        only_attached: Whether the other guards are passed at the tool.

    Returns:
        None if there is nothing to pass, and nothing to forget that was passed.
    """
    guards = attached if only_attached else guards_of(attached)
    passed = _PASSED.get()
    before: Guards = ()
    if passed is not None and passed.name == name and passed.arguments == arguments:
        before = passed.guards
        guards = tuple(guard for guard in guards if guard not in before)
    if not guards and (delegates or passed is None):
        return None
    return GuardedCall(
        guards,
        name,
        call_id,
        token or CancellationToken(),
        check or partial(_unchecked, arguments),
        arguments,
        before if delegates else None,
    )


def _unchecked(arguments: Any, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    given = arguments if isinstance(arguments, Mapping) else {"arguments": arguments}
    return jsonable({**given, **changes})


def _soonest(admissions: Admissions) -> float | None:
    return min(
        (admission.seconds for _, admission in admissions if admission.seconds is not None),
        default=None,
    )


@contextmanager
def _listening(listeners: list[ProgressListener]) -> Generator[None, None, None]:
    with ExitStack() as stack:
        for listener in listeners:
            stack.enter_context(tool_progress(listener))
        yield
