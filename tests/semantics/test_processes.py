"""Fork and subinterpreters inside a handler."""

import asyncio
import os
import subprocess
import sys
import warnings

import pytest

from .scenario import Ask, yield_to_loop

fork_is_here = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def forked(in_child):
    """Run something in a forked child, and return how that ended."""
    with warnings.catch_warnings():
        # 3.12 and newer warn about threads, which earlier tests may have left in a pool.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            os._exit(0 if in_child() else 1)
        except BaseException:  # noqa: BLE001 - a child must not go on with the tests
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@fork_is_here
@pytest.mark.parametrize("suspend", [False, True])
async def test_a_child_forked_in_a_handler_leaves_its_parent_alone(scenario, suspend):
    async def handler(self, message, ctx):
        if suspend:
            await asyncio.sleep(0)
        task = asyncio.current_task()
        ended = forked(lambda: True)
        await asyncio.sleep(0)
        assert asyncio.current_task() is task
        return ended

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == 0
    assert await scenario.ask("a") == 0


@fork_is_here
async def test_a_forked_child_can_have_a_runtime_and_a_loop_of_its_own(scenario):
    async def handler(self, message, ctx):
        await yield_to_loop(message.value)
        return message.value

    async def anew():
        runtime = scenario.core.SingleThreadedAgentRuntime()
        agent_class = scenario.agent_class(handler)
        await runtime.register_factory("fresh", lambda: agent_class("in the child"))
        runtime.start()
        responses = [await runtime.send_message(Ask(n), scenario.id("fresh")) for n in (0, 2)]
        await runtime.stop_when_idle()
        return responses == [0, 2]

    def in_child():
        asyncio._set_running_loop(None)
        return asyncio.run(anew())

    await scenario.agent("a", handler)
    scenario.start()
    await scenario.ask("a", 1)
    assert forked(in_child) == 0
    assert await scenario.ask("a", 1) == 1


@fork_is_here
async def test_the_suspended_handlers_of_the_parent_do_not_run_in_the_child(scenario, tmp_path):
    gate, marks = asyncio.Event(), tmp_path / "marks"
    marks.write_text("")

    async def handler(self, message, ctx):
        await gate.wait()
        with marks.open("a") as file:
            file.write(f"{os.getpid()} ")

    def in_child():
        asyncio._set_running_loop(None)
        asyncio.run(yield_to_loop(5))
        return True

    await scenario.agent("a", handler)
    scenario.start()
    asked = asyncio.ensure_future(scenario.ask("a"))
    await yield_to_loop()
    gate.set()
    assert forked(in_child) == 0
    await asked
    assert marks.read_text().split() == [str(os.getpid())]


def test_a_subinterpreter_is_refused_or_works_and_never_crashes(core):
    """Checks only that the process ends normally, not what a subinterpreter prints."""
    program = f"""
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    import _interpreters as interpreters
import {core.__name__}
number = interpreters.create()
try:
    interpreters.run_string(number, "import {core.__name__}")
except BaseException as error:
    print("refused:", error)
else:
    print("imported")
interpreters.destroy(number)
print("the end")
"""
    command = [sys.executable, "-W", "ignore", "-c", program]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "the end"
    if core.__name__ == "ferrogen" and ended.stdout.startswith("refused"):
        assert "interpreter" in ended.stdout


LEAVES_A_HANDLER_WAITING = """
import asyncio
from typing import Any
from ferrogen import AgentId, BaseAgent, MessageContext, SingleThreadedAgentRuntime

loop = asyncio.new_event_loop()
released = loop.create_future()


class Waits(BaseAgent):
    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        await released


class Asks(BaseAgent):
    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        return await self.send_message(message, AgentId("waits", "one"))


runtime = SingleThreadedAgentRuntime()


async def main():
    global asked
    await Waits("waits").register_instance(runtime, AgentId("waits", "one"))
    await Asks("asks").register_instance(runtime, AgentId("asks", "one"))
    runtime.start()
    asked = loop.create_task(runtime.send_message("x", AgentId("asks", "one")))
    for _ in range(5):
        await asyncio.sleep(0)


loop.run_until_complete(main())
released.set_result(None)
loop.call_soon(loop.stop)
loop.run_forever()
loop.close()
"""


def test_a_program_that_ends_while_agents_wait_ends_without_a_panic(tmp_path):
    """What is left is freed when nothing can be imported any more."""
    program = tmp_path / "program.py"
    program.write_text(LEAVES_A_HANDLER_WAITING)
    command = [sys.executable, program]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
    assert ended.returncode == 0, ended.stderr
    assert "anic" not in ended.stderr
