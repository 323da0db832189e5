"""Measures runs of code in a sandbox: what a run takes, and where the time goes.

Two runs are made at the same time, as two cores allow. `processor` is the time of all processes of
a run, with this one's; the runs of a second are bounded by it.
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
from importlib.util import find_spec

from _tables import duration, show_table

from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor
from ferrogen.code_executor.sandbox.view import base_python

_CHILD_SUBREAPER = 36
QUICK = "--quick" in sys.argv
RUNS = 30 if QUICK else 200
TOGETHER = 2
Run = Callable[[], Awaitable[None]]


async def measure(run: Run, runs: int = RUNS, together: int = TOGETHER) -> tuple[float, float]:
    """Return the seconds of a run, and those of a processor for this process and its children."""
    await run()
    left = iter(range(runs))

    async def worker() -> None:
        for _ in left:
            await run()

    before, began = os.times(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(together)))
    seconds, after = time.perf_counter() - began, os.times()
    return seconds / runs, sum(after[:4]) / runs - sum(before[:4]) / runs


def process(*command: str) -> Run:
    """Return a run of a program without a sandbox."""

    async def run() -> None:
        started = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
        await started.wait()

    return run


def block(executor: SandboxCodeExecutor, code: str, language: str) -> Run:
    """Return a run of code in a sandbox."""

    async def run() -> None:
        given = [CodeBlock(code, language)]
        result = await executor.execute_code_blocks(given, CancellationToken())
        if result.exit_code != 0:
            raise RuntimeError(result.output)

    return run


async def main() -> None:
    """Print a table."""
    python = base_python()
    rows: list[tuple[str, tuple[float, float]]] = [
        ("a process: /bin/true", await measure(process("/bin/true"))),
        ("a process: python -I -S", await measure(process(python, "-I", "-S", "-c", "print(1)"))),
        ("a process: python", await measure(process(python, "-c", "print(1)"))),
    ]
    for isolation in ("bubblewrap", "landlock"):
        async with SandboxCodeExecutor(isolation=isolation) as executor:
            for code, language in (("echo 1", "sh"), ("print(1)", "python")):
                measured = await measure(block(executor, code, language))
                rows.append((f"one-shot by {isolation}: {language}", measured))
    if find_spec("jupyter_client") is not None:
        async with SandboxCodeExecutor(session=True) as executor:
            measured = await measure(block(executor, "x = 1", "python"), together=1)
            rows.append(("a call in a session", measured))
    show_table(
        ("run", "time", "runs/s", "processor"),
        [
            (name, duration(each), f"{1 / each:,.0f}", duration(processor))
            for name, (each, processor) in rows
        ],
    )


if __name__ == "__main__":
    # bubblewrap does not wait for its innermost process, whose time counts where it is waited for.
    ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, ctypes.c_ulong(1), None, None, None)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        asyncio.run(main())
