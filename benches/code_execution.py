"""Measures runs of code in a sandbox: what a run takes, and where the time goes.

Two runs are made at the same time, as two cores allow. `processor` is the time of all processes of
a run, `program` that of the program that starts them, and `bound` the runs of a second that two
cores can make at most if they do nothing else. The rows with `bwrap` have the same namespaces and
folders as a run, without Ferrogen. Times of calls in a session are medians, since they come one
after the other; their processor time is what the process of the session says of itself.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib.util import find_spec
from statistics import median
from typing import NamedTuple

from _tables import duration, show_table

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor
from ferrogen.code_executor.sandbox.bubblewrap import find_bubblewrap
from ferrogen.code_executor.sandbox.view import base_python, system_view

_CHILD_SUBREAPER = 36
QUICK = "--quick" in sys.argv
RUNS = 30 if QUICK else 200
CALLS = 5 * RUNS
TOGETHER = 2
CORES = 2
Run = Callable[[], Awaitable[None]]


class Measured(NamedTuple):
    """Seconds of a run, and of processors for its processes and for this one."""

    time: float
    processes: float
    program: float


async def measure(run: Run, runs: int = RUNS, together: int = TOGETHER) -> Measured:
    """Return what a run takes; the time is the median if there is one at a time."""
    await run()
    left = iter(range(runs))
    times: list[float] = []

    async def worker() -> None:
        for _ in left:
            began = time.perf_counter()
            await run()
            times.append(time.perf_counter() - began)

    before, own, began = os.times(), time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(together)))
    seconds = time.perf_counter() - began
    take_orphans()
    after, program = os.times(), (time.process_time() - own) / runs
    processes = (sum(after[2:4]) - sum(before[2:4])) / runs
    return Measured(seconds / runs if together > 1 else median(times), processes, program)


def take_orphans() -> None:
    """Wait for the innermost processes of bubblewrap, so that their time counts."""
    with suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue


def process(*command: str) -> Run:
    """Return a run of a program without a sandbox."""

    async def run() -> None:
        started = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
        await started.wait()

    return run


def bubblewrapped(*command: str) -> Run:
    """Return a run of a program by bubblewrap alone."""
    view = system_view()
    shown = [part for folder in view.folders for part in ("--ro-bind", folder, folder)]
    links = [part for link, path in view.links.items() for part in ("--symlink", path, link)]
    namespaces = ["--unshare-all", "--cap-drop", "ALL", "--new-session", "--die-with-parent"]
    folders = ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/work"]
    return process(str(find_bubblewrap()), *namespaces, *folders, *shown, *links, "--", *command)


def block(executor: SandboxCodeExecutor, code: str, language: str) -> Run:
    """Return a run of code in a sandbox."""

    async def run() -> None:
        given = [CodeBlock(code, language)]
        result = await executor.execute_code_blocks(given, CancellationToken())
        if result.exit_code != 0:
            raise RuntimeError(result.output)

    return run


SESSION_CALLS = ("x = 1", "print(1)", "x + 1")


async def session_rows(isolation: str) -> list[tuple[str, Measured]]:
    """Measure the first call of a session, and later ones."""

    async def start() -> None:
        async with SandboxCodeExecutor(session=True, isolation=isolation) as executor:
            await block(executor, "x = 1", "python")()

    rows = [(f"a session by {isolation}, from start to stop", await measure(start, 10, 1))]
    async with SandboxCodeExecutor(session=True, isolation=isolation) as executor:

        async def processor_time() -> float:
            given = [CodeBlock("import time\ntime.process_time()", "python")]
            result = await executor.execute_code_blocks(given, CancellationToken())
            return float(result.output)

        for code in SESSION_CALLS:
            before = await processor_time()
            measured = await measure(block(executor, code, "python"), CALLS, together=1)
            used = (await processor_time() - before) / (CALLS + 1)
            rows.append((f"a call in it: {code}", measured._replace(processes=used)))
    return rows


async def main() -> None:
    """Print a table."""
    python = base_python()
    rows: list[tuple[str, Measured]] = [
        ("a process: /bin/true", await measure(process("/bin/true"))),
        ("a process: python -I -S", await measure(process(python, "-I", "-S", "-c", "print(1)"))),
        ("bwrap: /bin/true", await measure(bubblewrapped("/bin/true"))),
        ("bwrap: python -I -S", await measure(bubblewrapped(python, "-I", "-S", "-c", "print(1)"))),
    ]
    for isolation in ("bubblewrap", "landlock"):
        async with SandboxCodeExecutor(isolation=isolation) as executor:
            for code, language in (("echo 1", "sh"), ("print(1)", "python")):
                measured = await measure(block(executor, code, language))
                rows.append((f"one-shot by {isolation}: {language}", measured))
    if find_spec("IPython") is not None:
        for isolation in ("bubblewrap", "landlock"):
            rows += await session_rows(isolation)
    show_table(
        ("run", "time", "runs/s", "processor", "of it, program", "bound"),
        [
            (
                name,
                duration(each.time),
                f"{1 / each.time:,.0f}",
                duration(each.processes + each.program),
                duration(each.program),
                f"{CORES / (each.processes + each.program):,.0f}",
            )
            for name, each in rows
        ],
    )


if __name__ == "__main__":
    # bubblewrap does not wait for its innermost process, whose time counts where it is waited for.
    ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, ctypes.c_ulong(1), None, None, None)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        asyncio.run(main())
