"""Cancellation tokens: free of deadlocks, and of what is over."""

import asyncio
import gc
import subprocess
import sys
import weakref

from tests.compat.harness import OURS, UPSTREAM, both


def test_a_callback_may_use_its_token():
    program = """
import os, sys, threading
core = __import__(sys.argv[1])
token, seen = core.CancellationToken(), []
token.add_callback(lambda: seen.append(token.is_cancelled()))
thread = threading.Thread(target=token.cancel, daemon=True)
thread.start()
thread.join(0.2)
print("blocked" if thread.is_alive() else seen, flush=True)
os._exit(0)
"""

    def output_of(core):
        # In a process of its own: upstream's thread is blocked forever.
        run = [sys.executable, "-c", program, core.__name__]
        return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()

    assert (output_of(UPSTREAM), output_of(OURS)) == ("blocked", "[True]")


def test_a_token_forgets_what_is_done():
    class Answer:
        pass

    async def scenario(core, record):
        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                return Answer()

        runtime, token = core.SingleThreadedAgentRuntime(), core.CancellationToken()
        await Agent.register(runtime, "agent", lambda: Agent("responses"))
        runtime.start()
        responses = [
            weakref.ref(
                await runtime.send_message(
                    "x", core.AgentId("agent", "k"), cancellation_token=token
                )
            )
            for _ in range(10)
        ]
        await runtime.stop_when_idle()
        gc.collect()
        record("responses kept", sum(response() is not None for response in responses))

    assert both(scenario) == ([["responses kept", 10]], [["responses kept", 0]])


def test_cancelling_passes_over_a_coroutine_that_was_linked():
    async def scenario(core, record):
        token = core.CancellationToken()
        # autogen-ext links the calls of MCP tools so.
        work = token.link_future(asyncio.sleep(0, "done"))
        try:
            token.cancel()
        except AttributeError as error:
            record("the one who cancels gets", str(error))
        record("the work is", await work)

    assert both(scenario) == (
        [
            ["the one who cancels gets", "'coroutine' object has no attribute 'cancel'"],
            ["the work is", "done"],
        ],
        [["the work is", "done"]],
    )


def test_a_handler_sees_the_cancellation_of_a_token_before_its_sender():
    async def scenario(core, record):
        begun = asyncio.Event()

        class Agent(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                future = asyncio.get_running_loop().create_future()
                ctx.cancellation_token.link_future(future)
                begun.set()
                try:
                    await future
                except asyncio.CancelledError:
                    record("handler")
                    raise

        runtime, token = core.SingleThreadedAgentRuntime(), core.CancellationToken()
        await Agent.register(runtime, "agent", lambda: Agent("waits for its token"))
        runtime.start()

        async def send():
            try:
                agent = core.AgentId("agent", "k")
                await runtime.send_message("x", agent, cancellation_token=token)
            except asyncio.CancelledError:
                record("sender")

        sending = asyncio.create_task(send())
        await begun.wait()
        token.cancel()
        await sending
        await runtime.stop_when_idle()

    assert both(scenario) == (["sender", "handler"], ["handler", "sender"])
