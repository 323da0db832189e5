"""A fork while a runtime runs: the child starts with a new state, the parent continues."""

from __future__ import annotations

import subprocess
import sys
from textwrap import dedent

import pytest

COMMON = """
    import asyncio, multiprocessing, os, sys

    from ferrogen import AgentId, BaseAgent, SingleThreadedAgentRuntime

    class Echo(BaseAgent):
        async def on_message_impl(self, message, ctx):
            return message

    async def started():
        runtime = SingleThreadedAgentRuntime()
        await Echo.register(runtime, "echo", lambda: Echo("echoes"))
        runtime.start()
        assert await runtime.send_message("up", AgentId("echo", "1")) == "up"
        return runtime

    async def whole_life():
        runtime = await started()
        for number in range(100):
            assert await runtime.send_message(number, AgentId("echo", f"{number}")) == number
        await runtime.stop_when_idle()
        await runtime.close()

    def child():
        asyncio.run(whole_life())
        return 0

    def wait_for(pid):
        _, status = os.waitpid(pid, 0)
        assert os.waitstatus_to_exitcode(status) == 0, status

    async def goes_on(runtime):
        for number in range(100):
            assert await runtime.send_message(number, AgentId("echo", "1")) == number
        await runtime.stop_when_idle()
        assert runtime._engine.tally()["responded"] == 101
"""

FORK = """
    async def main():
        runtime = await started()
        asking = asyncio.ensure_future(runtime.send_message("in flight", AgentId("echo", "1")))
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                status = child()
            finally:
                sys.stderr.flush()
                os._exit(status)
        wait_for(pid)
        assert await asking == "in flight"
        for number in range(100):
            assert await runtime.send_message(number, AgentId("echo", "1")) == number
        await runtime.stop_when_idle()
        assert runtime._engine.tally()["responded"] == 102

    asyncio.run(main())
    print("done")
"""

MULTIPROCESSING = """
    async def main():
        runtime = await started()
        process = multiprocessing.get_context("fork").Process(target=child)
        process.start()
        await asyncio.to_thread(process.join)
        assert process.exitcode == 0, process.exitcode
        await goes_on(runtime)

    asyncio.run(main())
    print("done")
"""

INHERITED = """
    # The child meets the parent's runtime again: it gets an error that its loop is another one, and
    # can be dropped.
    from ferrogen.exceptions import WrongLoopError

    async def use(runtime):
        try:
            await runtime.send_message("x", AgentId("echo", "1"))
        except WrongLoopError:
            return
        raise AssertionError("the parent's runtime was used")

    async def main():
        runtime = await started()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                asyncio.run(use(runtime))
                del runtime
                status = child()
            finally:
                sys.stderr.flush()
                os._exit(status)
        wait_for(pid)
        await goes_on(runtime)

    asyncio.run(main())
    print("done")
"""


@pytest.mark.parametrize(
    "program", [FORK, MULTIPROCESSING, INHERITED], ids=["fork", "multiprocessing", "inherited"]
)
def test_a_child_starts_with_new_state_and_the_parent_continues(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", dedent(COMMON) + dedent(program)],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "done\n"
    assert "Traceback" not in done.stderr, done.stderr
