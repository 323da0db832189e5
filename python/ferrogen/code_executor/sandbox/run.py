"""One run of the sandbox, from its start to the end of its last process."""

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.code_executor.sandbox.isolation import Isolation, Launch
from ferrogen.code_executor.sandbox.limits import LimitName
from ferrogen.code_executor.sandbox.process import SandboxProcess, Stream
from ferrogen.code_executor.sandbox.watch import Meter, watch
from ferrogen.exceptions import SandboxError

_TIMEOUT_CODE, _KILLED_CODE = 124, 137
_BY_SIGNAL: dict[int, LimitName] = {
    128 + signal.SIGXCPU: "cpu_time",
    128 + signal.SIGXFSZ: "file_size",
}


@dataclass(frozen=True)
class RunEnd:
    """How a run ended.

    Args:
        exit_code: Of the program, or of the limit.
        limit: The limit that ended it.
    """

    exit_code: int
    limit: LimitName | None


async def run(
    isolation: Isolation,
    launch: Launch,
    token: CancellationToken,
    add_output: Callable[[Stream, bytes], bool],
    on_start: Callable[[Callable[[], None]], Callable[[], None]],
) -> RunEnd:
    """Run a program, and return when none of its processes is left.

    Args:
        isolation: Starts the program.
        launch: The program.
        token: Kills it when cancelled.
        add_output: Takes output; returns whether there was room for it.
        on_start: Called with a function that kills the run; returns one to call at its end.

    Raises:
        asyncio.CancelledError: The token or the caller was cancelled, or the executor stopped.
        SandboxError: The program could not be started.
    """
    if token.is_cancelled():
        raise asyncio.CancelledError
    loop = asyncio.get_running_loop()
    stopped: asyncio.Future[LimitName] = loop.create_future()
    failures: list[Exception] = []
    _ = token.link_future(stopped)

    def end(limit: LimitName) -> None:
        if not stopped.done():
            stopped.set_result(limit)

    def on_data(stream: Stream, data: bytes) -> None:
        if stopped.done():
            return
        try:
            fits = add_output(stream, data)
        except Exception as error:  # noqa: BLE001 - of a callback: the caller gets it
            failures.append(error)
            stopped.cancel()
            return
        if not fits:
            end("output")

    forget = on_start(lambda: _cancel(stopped))
    starting = loop.create_task(isolation.start(replace(launch, on_data=on_data)))
    try:
        process = await _uninterrupted(starting)
    except BaseException:
        forget()
        raise
    timer = loop.call_later(launch.limits.timeout, end, "timeout")
    meter = Meter(process, launch.scratch, launch.limits)
    watcher = loop.create_task(watch(meter, end))
    ending = loop.create_task(process.wait())
    try:
        # The watch ends by itself only with a limit, or by an error.
        first: list[asyncio.Future[Any]] = [stopped, ending, watcher]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
    finally:
        timer.cancel()
        watcher.cancel()
        forget()
        await end_of(process, ending)
        await asyncio.wait({watcher})
        process.close()
    if not watcher.cancelled():
        watcher.result()
    if failures:
        raise failures[0]
    if stopped.cancelled():
        raise asyncio.CancelledError
    if stopped.done():
        return end_of_limit(stopped.result())
    return _end_by_itself(process, ending.result())


def end_of_limit(limit: LimitName) -> RunEnd:
    """Return the end of a run that a limit has ended."""
    return RunEnd(_TIMEOUT_CODE if limit == "timeout" else _KILLED_CODE, limit)


def _end_by_itself(process: SandboxProcess, code: int) -> RunEnd:
    if (errors := process.setup_errors(code)) is not None:
        raise SandboxError(f"the sandbox failed while it started a program: {errors}")
    return RunEnd(code, _BY_SIGNAL.get(code))


def _cancel(future: "asyncio.Future[LimitName]") -> None:
    future.cancel()


async def _uninterrupted(starting: "asyncio.Task[SandboxProcess]") -> SandboxProcess:
    """Wait for a start; a caller that is cancelled meanwhile leaves no process behind."""
    try:
        await asyncio.wait({starting})
        return starting.result()
    except asyncio.CancelledError:
        await asyncio.wait({starting})
        if not starting.cancelled() and starting.exception() is None:
            process = starting.result()
            await end_of(process, asyncio.ensure_future(process.wait()))
            process.close()
        raise


async def end_of(process: SandboxProcess, ending: "asyncio.Future[int]") -> None:
    """Kill the remaining processes; wait for their end even if the caller is cancelled again."""
    cancelled = False
    if not ending.done():
        process.kill()
    while not ending.done():
        try:
            await asyncio.wait({ending})
        except asyncio.CancelledError:  # noqa: PERF203 - each time
            cancelled = True
    if cancelled:
        raise asyncio.CancelledError
