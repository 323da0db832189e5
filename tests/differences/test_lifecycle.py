"""The life of a runtime: closing, stopping from inside, and the loop it belongs to."""

import asyncio
import logging

import pytest
from tests.compat.harness import both, finishes, yield_to_loop


async def with_agent(core, work, close=None):
    class Agent(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            return await work(self, message)

        async def close(self):
            if close is not None:
                close(self)

    runtime = core.SingleThreadedAgentRuntime()
    await Agent.register(runtime, "agent", lambda: Agent("works"))
    return runtime


def test_close_cancels_handlers_that_still_run():
    async def scenario(core, record):
        async def work(agent, message):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                record("handler cancelled")
                raise

        runtime = await with_agent(core, work, close=lambda agent: record("closed"))
        runtime.start()
        sending = asyncio.create_task(runtime.send_message("x", core.AgentId("agent", "k")))
        await yield_to_loop()
        await runtime.close()
        record("sender answered", await finishes(asyncio.wait({sending})))
        record("over")

    upstream, ours = both(scenario)
    assert upstream[:3] == ["closed", ["sender answered", False], "over"]
    assert ours == ["handler cancelled", "closed", ["sender answered", True], "over"]


def test_close_closes_every_agent_even_if_one_fails():
    async def scenario(core, record):
        def close(agent):
            record("closing", agent.id)
            raise OSError(f"{agent.id.key} cannot be closed")

        async def work(agent, message): ...

        runtime = await with_agent(core, work, close)
        for key in ("a", "b"):
            await runtime.get("agent", key, lazy=False)
        await record.outcome("close", runtime.close())

    first, second = ["closing", "AgentId agent/a"], ["closing", "AgentId agent/b"]
    error = ("close", "raised OSError: a cannot be closed")
    assert both(scenario) == ([first, error], [first, second, error])


def test_stop_when_idle_inside_a_handler_is_refused():
    async def scenario(core, record):
        over = asyncio.Event()

        async def work(agent, message):
            giving_up = asyncio.get_running_loop().call_later(0.2, asyncio.current_task().cancel)
            try:
                await agent.runtime.stop_when_idle()
            except asyncio.CancelledError:
                record("hangs")
            except RuntimeError as error:
                record.raised("stop_when_idle", error, words=False)
            finally:
                giving_up.cancel()
                over.set()

        runtime = await with_agent(core, work)
        runtime.start()
        await runtime.publish_message("x", core.TopicId("agent:", "k"))
        await over.wait()

    assert both(scenario) == (["hangs"], [("stop_when_idle", "raised RuntimeError")])


def test_a_runtime_used_from_another_loop_says_so():
    async def scenario(core, record):
        async def work(agent, message):
            return message

        runtime = await with_agent(core, work)
        runtime.start()
        agent = core.AgentId("agent", "k")

        async def elsewhere():
            sending = asyncio.create_task(runtime.send_message("x", agent))
            is_settled = await finishes(asyncio.wait({sending}))
            sending.cancel()
            if is_settled:
                record.raised("send", sending.exception(), words=False)
                record("with advice", "another event loop" in str(sending.exception()))
            record("answered", is_settled)

        await asyncio.to_thread(asyncio.run, elsewhere())
        await runtime.stop()

    # Upstream responses or hangs, as chance wakes its loop; it never raises.
    upstream, ours = both(scenario)
    assert ("send", "raised RuntimeError") not in upstream
    assert ours == [
        ("send", "raised RuntimeError"),
        ["with advice", True],
        ["answered", True],
    ]


def test_giving_up_to_wait_for_idleness_leaves_the_runtime_running():
    async def scenario(core, record):
        gate = asyncio.Event()

        async def work(agent, message):
            await gate.wait()

        runtime = await with_agent(core, work)
        runtime.start()
        await runtime.publish_message("x", core.TopicId("agent:", "k"))
        await yield_to_loop()
        record("idle", await finishes(runtime.stop_when_idle()))
        gate.set()
        await yield_to_loop()
        await record.outcome("stop", runtime.stop())

    upstream, ours = both(scenario)
    assert upstream == [["idle", False], ("stop", "raised RuntimeError: Runtime is not started")]
    assert ours == [["idle", False], ["stop", None]]


@pytest.mark.parametrize("kind", ["send", "publish", "process_next"])
def test_a_closed_runtime_refuses_messages(kind):
    async def scenario(core, record):
        async def work(agent, message): ...

        runtime = await with_agent(core, work)
        runtime.start()
        await runtime.close()
        if kind == "send":
            call = runtime.send_message("x", core.AgentId("agent", "k"))
        elif kind == "publish":
            call = runtime.publish_message("x", core.TopicId("agent:", "k"))
        else:
            call = runtime.process_next()
        task = asyncio.ensure_future(call)
        is_settled = await finishes(asyncio.wait({task}))
        record("ended", is_settled)
        if is_settled:
            record(type(task.exception()).__name__)
        task.cancel()

    upstream, ours = both(scenario)
    # The message is accepted, and never handled; process_next waits forever for one.
    assert upstream == ([["ended", True], "NoneType"] if kind == "publish" else [["ended", False]])
    assert ours == [["ended", True], "RuntimeStoppedError"]


def test_messages_in_a_runtime_that_was_never_started_are_reported(monkeypatch):
    monkeypatch.setattr("ferrogen.runtime.lifecycle.lifecycle._NEVER_STARTED_SECONDS", 0.0)

    async def scenario(core, record):
        async def work(agent, message): ...

        class Listener(logging.Handler):
            def emit(self, entry):
                record(entry.levelname, "never started" in entry.getMessage())

        runtime = await with_agent(core, work)
        logger, listener = logging.getLogger(core.ROOT_LOGGER_NAME), Listener(logging.WARNING)
        logger.addHandler(listener)
        try:
            for _ in range(2):
                await runtime.publish_message("x", core.TopicId("agent:", "k"))
            await asyncio.sleep(0.01)
        finally:
            logger.removeHandler(listener)
        record("queued", runtime.unprocessed_messages_count)

    upstream, ours = both(scenario)
    assert upstream == [["queued", 2]]
    assert ours == [["WARNING", True], ["queued", 2]]
