"""No process of a server is left, however the program ends."""

import asyncio
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ferrogen.tools.mcp import McpWorkbench
from ferrogen.tools.mcp import keeper as keeper_module

from .conftest import ENVIRONMENT, PLAIN, is_alive, until

PROGRAM = textwrap.dedent(
    """
    import asyncio, os, signal, sys
    from ferrogen.tools.mcp import McpWorkbench, StdioServerParams

    async def main():
        params = StdioServerParams(
            command=sys.executable, args=[sys.argv[1]], env=dict(os.environ),
            read_timeout_seconds=30,
        )
        workbench = McpWorkbench(params)
        ids = (await workbench.call_tool("start_daemons")).to_text()
        print(ids, (await workbench.call_tool("process")).to_text(), flush=True)
        if sys.argv[2] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if sys.argv[2] == "exit":
            os._exit(3)
        if sys.argv[2] == "raise":
            raise ValueError("the program fails")
        if sys.argv[2] == "interrupt":
            os.kill(os.getpid(), signal.SIGINT)
            await asyncio.Event().wait()

    asyncio.run(main())
    """
)


@pytest.mark.parametrize("end", ["kill", "exit", "raise", "interrupt", "return"])
async def test_nothing_is_left_however_the_program_ends(end, forking_python):
    program = await asyncio.create_subprocess_exec(
        *(forking_python, "-c", PROGRAM, str(PLAIN), end),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    output, _ = await program.communicate()
    processes = output.decode().split()
    assert len(processes) == 3, output
    await until(lambda: not any(map(is_alive, processes)))


async def test_nothing_is_left_when_the_workbench_stops(plain):
    async with McpWorkbench(plain()) as workbench:
        result = await workbench.call_tool("start_daemons")
        daemons = result.to_text().split()
        assert all(map(is_alive, daemons))
    assert not any(map(is_alive, daemons))


KEEPER = [sys.executable, "-I", "-S", keeper_module.__file__]


def keep(*command, parent=None, **options):
    import os

    return subprocess.Popen([*KEEPER, str(parent or os.getpid()), *command], **options)


def test_the_keeper_passes_input_output_and_exit_code_on():
    program = keep("sh", "-c", "cat; exit 7", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    output, _ = program.communicate(b"hello", timeout=150)
    assert (output, program.returncode) == (b"hello", 7)


def test_the_keeper_reports_a_command_that_cannot_run():
    program = keep("/no/such/program", stderr=subprocess.PIPE)
    _, errors = program.communicate(timeout=150)
    assert program.returncode == 127
    assert errors == b"/no/such/program: No such file or directory\n"


def test_the_keeper_reports_a_command_that_a_signal_ended():
    program = keep("sh", "-c", "kill -9 $$")
    assert program.wait(timeout=150) == 128 + signal.SIGKILL


def test_the_keeper_kills_what_ignores_its_end(tmp_path: Path):
    program = keep(
        *("sh", "-c", "trap '' TERM; echo $$; while :; do sleep 60; done"), stdout=subprocess.PIPE
    )
    assert program.stdout is not None
    child = program.stdout.readline().strip().decode()
    program.terminate()
    program.wait(timeout=150)
    program.stdout.close()
    assert not is_alive(child)


def test_the_keeper_does_not_outlive_a_parent_that_has_ended_already():
    ended = subprocess.Popen(["true"])
    ended.wait(timeout=150)
    assert keep("sleep", "600", parent=ended.pid).wait(timeout=150) == 1
