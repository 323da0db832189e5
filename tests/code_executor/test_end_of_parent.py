"""Code ends with the program that runs it, however that ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ..random_examples import IN_SOAK
from . import users
from .conftest import ISOLATIONS, USERS

MODES = ("one-shot", "session")
SIGNALS = (signal.SIGKILL, signal.SIGTERM)

PROGRAM = """
import asyncio, os
from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor

SHELL = '''
if [ "$1" != inner ]; then setsid sh "$0" inner & fi
echo started
while :; do sleep 0.1; done
'''
PYTHON = '''
import subprocess, time
subprocess.Popen(["setsid", "sh", "-c", "while :; do sleep 0.1; done"])
print("started", end="")
while True: time.sleep(0.1)
'''
session = MODE == "session"

async def main():
    async with SandboxCodeExecutor(
        timeout=600, isolation="ISOLATION", session=session
    ) as executor:
        block = CodeBlock(PYTHON, "python") if session else CodeBlock(SHELL, "sh")
        print(os.getpid(), flush=True)

        def on_output(part):
            print(part.text.strip(), flush=True)

        await executor.execute_code_blocks([block], CancellationToken(), on_output=on_output)

asyncio.run(main())
"""


def ways_to_end() -> Iterator[Any]:
    """All in a soak; else every other one, in which any two values still meet."""
    values = enumerate(USERS), enumerate(ISOLATIONS), enumerate(MODES), enumerate(SIGNALS)
    for way in product(*values):
        if IN_SOAK or sum(place for place, _ in way) % 2 == 0:
            words = [value.name if isinstance(value, signal.Signals) else value for _, value in way]
            yield pytest.param(*(value for _, value in way), id="-".join(words))


@pytest.mark.soak
@pytest.mark.parametrize(("user", "isolation", "mode", "number"), [*ways_to_end()])
def test_code_ends_with_a_killed_program(user: str, isolation: str, mode: str, number: int):
    folder = Path(tempfile.mkdtemp(prefix="ferrogen-tests-"))
    folder.chmod(0o755)
    program = folder / "program.py"
    program.write_text(PROGRAM.replace("ISOLATION", isolation).replace("MODE", repr(mode)))
    process = users.start(user, program, folder)
    try:
        assert process.stdout is not None
        # Between the test and the program may be commands that make it an ordinary user's.
        pid = int(process.stdout.readline())
        assert process.stdout.readline() == "started\n"
        running = [pid for pid in descendants(pid) if is_running(pid)]
        assert len(running) >= 3
        os.kill(pid, number)
        process.wait()
        deadline = time.monotonic() + 150
        while any(map(is_running, running)) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert [pid for pid in running if is_running(pid)] == []
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        shutil.rmtree(folder)


REAPER = """
import asyncio, ctypes, os
from ferrogen import CancellationToken
from ferrogen.code_executor import CodeBlock, SandboxCodeExecutor

# As the first process of a container: it becomes the parent of orphans.
ctypes.CDLL(None).prctl(36, ctypes.c_ulong(1), None, None, None)

async def main():
    async with SandboxCodeExecutor(timeout=0.5, isolation="ISOLATION") as executor:
        for code in ("echo 1", "sleep 60"):
            await executor.execute_code_blocks([CodeBlock(code, "sh")], CancellationToken())

asyncio.run(main())
try:
    print(os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT))
except ChildProcessError:
    print("no children")
"""


@pytest.mark.parametrize("isolation", ISOLATIONS)
def test_a_program_that_inherits_orphans_keeps_none(isolation: str, tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(REAPER.replace("ISOLATION", isolation))
    done = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, timeout=150, check=True
    )
    assert done.stdout == "no children\n"


def descendants(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        parent = waiting.pop()
        for task in Path(f"/proc/{parent}/task").iterdir():
            children = [int(child) for child in (task / "children").read_text().split()]
            found += children
            waiting += children
    return found


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"
