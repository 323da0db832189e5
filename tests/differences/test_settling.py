"""Settling: every message ends, every sender gets a response, and idle means idle."""

import asyncio

from tests.compat.harness import OURS, UPSTREAM, both, finishes, play, yield_to_loop


async def with_worker(core, record, work, **settings):
    class Worker(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            return await work(self, message)

    runtime = core.SingleThreadedAgentRuntime(**settings)
    for agent_type in ("worker", "sibling"):
        await Worker.register(runtime, agent_type, lambda: Worker("works"))
        await runtime.get(agent_type, "k", lazy=False)
    runtime.start()
    return runtime, core.AgentId("worker", "k")


def test_a_handler_that_fails_after_its_sender_gave_up_leaves_the_runtime_idle():
    async def scenario(core, record):
        gate = asyncio.Event()

        async def work(agent, message):
            await gate.wait()
            raise ValueError("late")

        runtime, agent = await with_worker(core, record, work)
        sending = asyncio.create_task(runtime.send_message("x", agent))
        await yield_to_loop()
        sending.cancel()
        gate.set()
        await yield_to_loop()
        record("idle", await finishes(runtime.stop_when_idle()))

    assert both(scenario) == ([["idle", False]], [["idle", True]])


def test_idle_waits_for_a_handler_whose_sibling_failed():
    async def scenario(core, record):
        gate = asyncio.Event()

        async def work(agent, message):
            if agent.id.type == "sibling":
                raise ValueError("at once")
            await gate.wait()

        runtime, _ = await with_worker(core, record, work)
        for agent_type in ("worker", "sibling"):
            await runtime.add_subscription(core.TypeSubscription("t", agent_type))
        await runtime.publish_message("x", core.TopicId("t", "k"))
        await yield_to_loop()
        stopping = asyncio.create_task(runtime.stop_when_idle())
        await yield_to_loop()
        record("idle while a handler runs", stopping.done())
        gate.set()
        await stopping

    upstream, ours = both(scenario)
    assert upstream == [["idle while a handler runs", True]]
    assert ours == [["idle while a handler runs", False]]


def test_stop_notifies_the_senders_of_messages_that_were_not_started():
    async def scenario(core, record):
        async def work(agent, message):
            return message

        runtime, agent = await with_worker(core, record, work)
        await runtime.stop()
        sending = asyncio.create_task(runtime.send_message("x", agent))
        await asyncio.sleep(0)  # it is queued
        runtime.start()
        await runtime.stop()
        is_settled = await finishes(asyncio.wait({sending}))
        record("answered", is_settled)
        if is_settled:
            record(type(sending.exception()).__name__)
        sending.cancel()

    upstream, ours = both(scenario)
    assert upstream == [["answered", False]]
    assert ours == [["answered", True], "RuntimeStoppedError"]


def test_a_handler_that_outlives_a_stop_still_responds():
    async def scenario(core, record):
        gate = asyncio.Event()

        async def work(agent, message):
            await gate.wait()
            return "late response"

        runtime, agent = await with_worker(core, record, work)
        sending = asyncio.create_task(runtime.send_message("x", agent))
        await yield_to_loop()
        await runtime.stop()
        gate.set()
        is_settled = await finishes(asyncio.wait({sending}))
        record("answered", [sending.result()] if is_settled else [])
        sending.cancel()

    upstream, ours = both(scenario)
    assert upstream == [["answered", []]]
    assert ours == [["answered", ["late response"]]]


def test_handlers_that_outlive_a_stop_end_without_stray_errors():
    async def scenario(core, record):
        gate = asyncio.Event()

        async def work(agent, message):
            await gate.wait()

        runtime, _ = await with_worker(core, record, work)
        await runtime.publish_message("x", core.TopicId("worker:", "k"))
        await yield_to_loop()
        await runtime.stop()
        gate.set()
        await yield_to_loop()
        record("ran to its end")

    assert play(UPSTREAM, scenario).stray_errors == ["Task exception was never retrieved"]
    assert play(OURS, scenario).stray_errors == []


def test_messages_that_stop_discards_become_dead_letters():
    async def scenario(core, record):
        async def work(agent, message): ...

        runtime, _ = await with_worker(core, record, work)
        await runtime.publish_message("x", core.TopicId("worker:", "k"))
        await runtime.stop()
        record(hasattr(runtime, "dead_letters"))
        for letter in getattr(runtime, "dead_letters", []):
            record(letter.message, letter.receiver, type(letter.reason).__name__)

    upstream, ours = both(scenario)
    assert upstream == [False]
    assert ours == [True, ["x", "TopicId worker:/k", "RuntimeStoppedError"]]


def test_a_halted_runtime_refuses_messages_instead_of_keeping_the_sender_waiting():
    async def scenario(core, record):
        async def work(agent, message):
            if message == "x":
                raise ValueError("halts")
            return "response"

        runtime, agent = await with_worker(core, record, work, ignore_unhandled_exceptions=False)
        await runtime.publish_message("x", core.TopicId("worker:", "k"))
        await yield_to_loop()
        sending = asyncio.create_task(runtime.send_message("y", agent))
        is_settled = await finishes(asyncio.wait({sending}))
        errors = [type(sending.exception()).__name__] if is_settled else []
        record(*errors, "answered", is_settled)
        sending.cancel()
        await record.outcome("stop", runtime.stop())

    upstream, ours = both(scenario)
    assert upstream == [["answered", False], ("stop", "raised ValueError: halts")]
    assert ours == [
        ["RuntimeStoppedError", "answered", True],
        ("stop", "raised ValueError: halts"),
    ]


def test_idle_waits_for_the_next_message_of_a_sender_that_just_got_a_response():
    async def scenario(core, record):
        async def work(agent, message):
            return message

        runtime, agent = await with_worker(core, record, work)

        async def ask_twice():
            for number in range(2):
                record("response", await runtime.send_message(number, agent))

        asking = asyncio.create_task(ask_twice())
        await asyncio.sleep(0)  # the first message is queued
        await runtime.stop_when_idle()
        record("asked twice", await finishes(asyncio.wait({asking})))
        asking.cancel()

    upstream, ours = both(scenario)
    assert upstream == [["response", 0], ["asked twice", False]]
    assert ours == [["response", 0], ["response", 1], ["asked twice", True]]
