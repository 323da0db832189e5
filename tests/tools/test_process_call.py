"""Killable tools run in processes of their own, which end with their last waiter."""

import asyncio
import multiprocessing
import os
import subprocess
import sys

import pytest

from ferrogen import CancellationToken
from ferrogen.code_executor import ImportFromModule
from ferrogen.exceptions import ToolProcessError
from ferrogen.tools import FunctionTool, KillableFunctionTool, allow_source_text, tool

from .killable_functions import (
    Place,
    answer_and_stay,
    end,
    fail,
    fail_unreadably,
    hang_with_a_child,
    leave,
    own_process,
    unpicklable_result,
)


def killable(function):
    return KillableFunctionTool(function, "does something")


async def call(tool, **arguments):
    return await asyncio.wait_for(tool.run_json(arguments, CancellationToken()), 30)


async def test_a_killable_tool_runs_in_its_own_process_and_returns_its_result():
    pid, place = await call(killable(own_process), place={"city": "Rome"})
    assert pid != os.getpid()
    assert place == Place("Rome")


async def test_its_errors_are_the_callers_with_the_traceback_from_there():
    with pytest.raises(LookupError, match="nowhere") as raised:
        await call(killable(fail), words="nowhere")
    assert "in fail" in str(raised.value.__cause__)


@pytest.mark.parametrize("function", [fail_unreadably, unpicklable_result])
async def test_what_cannot_be_sent_back_is_an_error_that_says_so(function):
    with pytest.raises(ToolProcessError, match="cannot be sent to its caller"):
        await call(killable(function))


@pytest.mark.parametrize("function", [end, leave])
async def test_a_process_that_ends_without_a_result_is_an_error(function):
    with pytest.raises(ToolProcessError, match="ended with exit code 7 before it responded"):
        await call(killable(function), code=7)


@pytest.mark.parametrize("how", ["token", "task"])
@pytest.mark.parametrize("function", [hang_with_a_child, answer_and_stay])
async def test_cancelling_kills_the_process_and_what_it_started(how, function, tmp_path):
    report, token = tmp_path / "report", CancellationToken()
    os.mkfifo(report)
    tool = killable(function)
    running = asyncio.ensure_future(tool.run_json({"report": str(report)}, token))
    pipe = await asyncio.to_thread(report.open, encoding="ascii")  # waits for who writes
    assert await asyncio.to_thread(pipe.readline) == "started\n"

    if how == "token":
        token.cancel()
    else:
        running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pipe:  # it ends with the last writer
        assert await asyncio.wait_for(asyncio.to_thread(pipe.read), 30) == ""


async def test_a_call_that_is_cancelled_before_its_process_starts_leaves_none():
    token = CancellationToken()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killable(own_process).run_json({"place": {"city": "Rome"}}, token)
    assert multiprocessing.active_children() == []


async def waits(n: int) -> int:
    return n


def takes_the_token(n: int, cancellation_token: CancellationToken) -> int:
    return n


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (waits, "is a coroutine function"),
        (takes_the_token, "takes a cancellation token"),
        (lambda: None, "define it at the top of a module"),
    ],
)
def test_what_cannot_be_killable_is_refused_when_the_tool_is_made(function, words):
    with pytest.raises(ToolProcessError, match=words):
        killable(function)


async def test_a_killable_tool_stays_so_in_its_config_and_runs_its_source_there():
    imports = ["os", ImportFromModule(__name__, ("Place",))]
    component = KillableFunctionTool(own_process, "d", global_imports=imports).dump_component()
    assert component.provider == "ferrogen.tools.KillableFunctionTool"
    component.config["source_code"] = "def pid(n: int) -> int:\n    return os.getpid() * n\n"
    component.config["global_imports"] = ["os"]
    with allow_source_text():
        tool = FunctionTool.load_component(component)
    assert type(tool) is KillableFunctionTool
    assert tool.dump_component() == component
    assert await call(tool, n=1) != os.getpid()


def test_a_tool_of_the_program_itself_can_be_killable(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio, os\n"
        "from ferrogen import CancellationToken\n"
        "from ferrogen.tools import KillableFunctionTool\n"
        "def pid() -> int:\n"
        "    return os.getpid()\n"
        "if __name__ == '__main__':\n"
        "    tool = KillableFunctionTool(pid, 'Returns the id.')\n"
        "    print(asyncio.run(tool.run_json({}, CancellationToken())) != os.getpid())\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


async def test_isolation_says_where_a_function_runs():
    import os

    here = await FunctionTool(os.getpid, "d").run_json({})
    elsewhere = await FunctionTool(os.getpid, "d", isolation="process").run_json({})
    assert here == os.getpid() != elsewhere


@tool(isolation="process")
def decorated(factor: int) -> int:
    """Return the id of the process."""
    return os.getpid() * factor


async def test_a_decorated_function_runs_in_a_process_of_its_own():
    assert (await decorated.run_json({"factor": 0})) == 0
    assert (await decorated.run_json({"factor": 1})) != os.getpid()


def test_a_decorated_function_of_the_program_itself_is_killed_at_its_timeout(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import asyncio\n"
        "from ferrogen.exceptions import ToolTimeoutError\n"
        "from ferrogen.tools import tool\n"
        "@tool(isolation='process', timeout=1)\n"
        "def hang() -> None:\n"
        "    'Hang.'\n"
        "    while True: pass\n"
        "if __name__ == '__main__':\n"
        "    try:\n"
        "        asyncio.run(hang.run_json({}))\n"
        "    except ToolTimeoutError:\n"
        "        print('killed')\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "killed\n"


def renamed() -> None:
    """Do nothing."""


first = renamed


def renamed() -> int:
    """Return a number."""
    return 1


async def test_a_function_whose_name_is_another_one_is_refused():
    with pytest.raises(ToolProcessError, match="is not what renamed is in the module"):
        await FunctionTool(first, "d", isolation="process").run_json({})
