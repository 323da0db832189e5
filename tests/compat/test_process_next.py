"""The runtime driven by hand: what one call of `process_next` does."""

import asyncio

import pytest

from .harness import same, yield_to_loop


async def with_echo(core, record, **settings):
    class Echo(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            record("received", message, ctx.is_rpc)
            if message == "fail":
                raise ValueError("as asked")
            return f"echo of {message}"

    runtime = core.SingleThreadedAgentRuntime(**settings)
    await Echo.register(runtime, "echo", lambda: Echo("echoes"))
    return runtime, core.AgentId("echo", "k"), core.TopicId("echo:", "k")


def test_a_send_takes_one_call_to_handle_and_one_to_respond():
    async def scenario(core, record):
        runtime, agent, _ = await with_echo(core, record)
        sending = asyncio.create_task(runtime.send_message("x", agent))
        record("at first", runtime.unprocessed_messages_count)
        await yield_to_loop()
        record("sent", runtime.unprocessed_messages_count, sending.done())
        await runtime.process_next()
        await yield_to_loop()
        record("handled", runtime.unprocessed_messages_count, sending.done())
        await runtime.process_next()
        await yield_to_loop()
        record("answered", runtime.unprocessed_messages_count, sending.done())
        record(await sending)

    same(scenario)


def test_a_published_message_takes_one_call():
    async def scenario(core, record):
        runtime, _, topic = await with_echo(core, record)
        for text in ("one", "two"):
            await runtime.publish_message(text, topic)
        for _ in range(2):
            record("waiting", runtime.unprocessed_messages_count)
            await runtime.process_next()
            await yield_to_loop()
        record("waiting", runtime.unprocessed_messages_count)

    same(scenario)


def test_messages_are_taken_in_their_order():
    async def scenario(core, record):
        runtime, agent, topic = await with_echo(core, record)
        sends = [asyncio.create_task(runtime.send_message(n, agent)) for n in (1, 2)]
        await yield_to_loop()
        await runtime.publish_message(3, topic)
        for _ in range(5):
            record(runtime.unprocessed_messages_count, [send.done() for send in sends])
            await runtime.process_next()
            await yield_to_loop()
        record(await asyncio.gather(*sends))

    same(scenario)


def test_a_call_waits_for_a_message():
    async def scenario(core, record):
        runtime, _, topic = await with_echo(core, record)
        processing = asyncio.create_task(runtime.process_next())
        await yield_to_loop()
        record("done", processing.done())
        await runtime.publish_message("x", topic)
        record(await processing)
        await yield_to_loop()

    same(scenario)


def test_a_given_up_call_loses_no_message():
    async def scenario(core, record):
        runtime, _, topic = await with_echo(core, record)
        processing = asyncio.create_task(runtime.process_next())
        await yield_to_loop()
        processing.cancel()
        await record.outcome("given up", processing)
        await runtime.publish_message("x", topic)
        record("waiting", runtime.unprocessed_messages_count)
        await runtime.process_next()
        await yield_to_loop()

    same(scenario)


def test_an_unhandled_error_is_raised_by_the_next_call():
    async def scenario(core, record):
        runtime, _, topic = await with_echo(core, record, ignore_unhandled_exceptions=False)
        await runtime.publish_message("fail", topic)
        await record.outcome("first", runtime.process_next())
        await yield_to_loop()
        await record.outcome("second", runtime.process_next())

    same(scenario)


@pytest.mark.parametrize("method", ["stop", "stop_when_idle", "stop_when", "close"])
def test_an_unhandled_error_is_raised_where_the_runtime_is_awaited(method):
    async def scenario(core, record):
        runtime, _, topic = await with_echo(core, record, ignore_unhandled_exceptions=False)
        runtime.start()
        await runtime.publish_message("fail", topic)
        await yield_to_loop()
        arguments = [lambda: True] if method == "stop_when" else []
        await record.outcome(method, getattr(runtime, method)(*arguments))

    same(scenario)


@pytest.mark.parametrize("method", ["stop", "stop_when_idle"])
def test_errors_are_ignored_unless_requested(method):
    async def scenario(core, record):
        runtime, agent, topic = await with_echo(core, record)
        runtime.start()
        await runtime.publish_message("fail", topic)
        await yield_to_loop()
        record(await runtime.send_message("x", agent))
        record(await getattr(runtime, method)())

    same(scenario)
