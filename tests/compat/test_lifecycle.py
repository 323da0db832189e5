"""Starting and stopping: twice, too early, in the middle, and again."""

import asyncio

import pytest

from .harness import same, yield_to_loop


async def with_worker(core, record, **settings):
    """Make a runtime with an agent whose handler waits for the gate, and publishes nothing."""
    gate = asyncio.Event()

    class Worker(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            record("begin", message)
            await gate.wait()
            record("end", message)
            return f"did {message}"

        async def close(self):
            record("closed", self.id)

    runtime = core.SingleThreadedAgentRuntime(**settings)
    await Worker.register(runtime, "worker", lambda: Worker("works"))
    return runtime, gate


@pytest.mark.parametrize("method", ["stop", "stop_when_idle", "stop_when"])
def test_what_is_not_started_cannot_be_stopped(method):
    async def scenario(core, record):
        runtime, _ = await with_worker(core, record)
        arguments = [lambda: True] if method == "stop_when" else []
        await record.outcome("stop", getattr(runtime, method)(*arguments))
        runtime.start()
        record(await getattr(runtime, method)(*arguments))
        await record.outcome("again", getattr(runtime, method)(*arguments))

    same(scenario)


def test_a_runtime_is_started_once():
    async def scenario(core, record):
        runtime, _ = await with_worker(core, record)
        record(runtime.start())
        record.call("again", runtime.start)
        await runtime.stop()
        record(runtime.start())
        await runtime.stop()

    same(scenario)


def test_messages_before_the_start_wait_for_it():
    async def scenario(core, record):
        runtime, gate = await with_worker(core, record)
        gate.set()
        sending = asyncio.create_task(runtime.send_message("x", core.AgentId("worker", "k")))
        await runtime.publish_message("y", core.TopicId("worker:", "k"))
        await yield_to_loop()
        record("waiting", runtime.unprocessed_messages_count)
        runtime.start()
        await runtime.stop_when_idle()
        record(await sending, runtime.unprocessed_messages_count)

    same(scenario)


def test_a_runtime_continues_after_a_stop():
    async def scenario(core, record):
        runtime, gate = await with_worker(core, record)
        gate.set()
        for n in range(3):
            runtime.start()
            record(await runtime.send_message(n, core.AgentId("worker", "k")))
            await (runtime.stop() if n % 2 else runtime.stop_when_idle())

    same(scenario)


def test_idle_waits_for_running_handlers():
    async def scenario(core, record):
        runtime, gate = await with_worker(core, record)
        runtime.start()
        await runtime.publish_message("x", core.TopicId("worker:", "k"))
        await yield_to_loop()
        stopping = asyncio.create_task(runtime.stop_when_idle())
        await yield_to_loop()
        record("stopped", stopping.done())
        gate.set()
        record(await stopping)

    same(scenario)


def test_stop_discards_published_messages_that_were_not_started():
    async def scenario(core, record):
        runtime, gate = await with_worker(core, record)
        gate.set()
        for text in ("x", "y"):
            await runtime.publish_message(text, core.TopicId("worker:", "k"))
        runtime.start()
        await runtime.stop()
        record("waiting", runtime.unprocessed_messages_count)
        runtime.start()
        record(await runtime.stop_when_idle())

    same(scenario)


def test_a_handler_that_runs_at_a_stop_continues():
    async def scenario(core, record):
        runtime, gate = await with_worker(core, record)
        runtime.start()
        await runtime.publish_message("x", core.TopicId("worker:", "k"))
        await yield_to_loop()
        record(await runtime.stop())
        gate.set()
        await yield_to_loop()

    same(scenario)


def test_stop_when_waits_for_its_condition():
    async def scenario(core, record):
        runtime, gate = await with_worker(core, record)
        gate.set()
        seen = []
        runtime.start()
        stopping = asyncio.create_task(runtime.stop_when(lambda: bool(seen)))
        record(await runtime.send_message("x", core.AgentId("worker", "k")))
        record("stopped", stopping.done())
        seen.append("now")
        record(await stopping)
        await record.outcome("stopped", runtime.stop())

    same(scenario)


def test_close_stops_and_closes_every_agent():
    async def scenario(core, record):
        runtime, gate = await with_worker(core, record)
        gate.set()
        runtime.start()
        for key in ("b", "a"):
            await runtime.send_message("x", core.AgentId("worker", key))
        record(await runtime.close())
        await record.outcome("stop", runtime.stop())
        record(await runtime.close())

    same(scenario)


def test_close_needs_no_start():
    async def scenario(core, record):
        runtime, _ = await with_worker(core, record)
        record(await runtime.close())
        await runtime.get("worker", "k", lazy=False)
        record(await runtime.close())

    same(scenario)


def test_a_handler_may_stop_its_runtime():
    async def scenario(core, record):
        class Stopper(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                record(await self.runtime.stop())

        runtime = core.SingleThreadedAgentRuntime()
        await Stopper.register(runtime, "stopper", lambda: Stopper("stops"))
        runtime.start()
        await runtime.publish_message("x", core.TopicId("stopper:", "k"))
        await yield_to_loop()
        await record.outcome("stopped", runtime.stop())

    same(scenario)
