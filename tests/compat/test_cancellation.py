"""Cancellation: by token, by the caller, by a timeout, and what the handler sees of it."""

import asyncio

import pytest

from .harness import same, yield_to_loop


async def asking(core, record, work):
    """Start a runtime with one agent that does the work in its handler."""

    class Agent(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            record("begin", message)
            try:
                return await work(message, ctx)
            finally:
                record("end", message)

    runtime = core.SingleThreadedAgentRuntime()
    await Agent.register(runtime, "agent", lambda: Agent("works"))
    return runtime, core.AgentId("agent", "k")


def test_a_token_cancelled_before_sending_cancels_the_wait():
    async def scenario(core, record):
        async def work(message, ctx):
            record("token", ctx.cancellation_token.is_cancelled())
            return "done"

        runtime, agent = await asking(core, record, work)
        runtime.start()
        token = core.CancellationToken()
        token.cancel()
        await record.outcome("sent", runtime.send_message("x", agent, cancellation_token=token))
        record(await runtime.stop_when_idle())

    same(scenario)


def test_a_token_cancelled_while_the_message_is_queued_cancels_the_wait():
    async def scenario(core, record):
        async def work(message, ctx):
            return ctx.cancellation_token.is_cancelled()

        runtime, agent = await asking(core, record, work)
        token = core.CancellationToken()
        sending = asyncio.create_task(runtime.send_message("x", agent, cancellation_token=token))
        await yield_to_loop(2)
        token.cancel()
        await record.outcome("sent", sending)
        runtime.start()
        record(await runtime.stop_when_idle())

    same(scenario)


def test_a_token_cancelled_while_the_handler_runs_leaves_the_handler_alone():
    async def scenario(core, record):
        gate = asyncio.Event()

        async def work(message, ctx):
            await gate.wait()
            record("token", ctx.cancellation_token.is_cancelled())
            return "done"

        runtime, agent = await asking(core, record, work)
        runtime.start()
        token = core.CancellationToken()
        sending = asyncio.create_task(runtime.send_message("x", agent, cancellation_token=token))
        await yield_to_loop()
        token.cancel()
        await record.outcome("sent", sending)
        gate.set()
        record(await runtime.stop_when_idle())

    same(scenario)


def test_a_token_cancelled_afterwards_changes_nothing():
    async def scenario(core, record):
        async def work(message, ctx):
            return "done"

        runtime, agent = await asking(core, record, work)
        runtime.start()
        token = core.CancellationToken()
        record(await runtime.send_message("x", agent, cancellation_token=token))
        token.cancel()
        record(token.is_cancelled())
        record(await runtime.stop_when_idle())

    same(scenario)


def test_work_that_a_handler_links_to_the_token_is_cancelled_with_it():
    async def scenario(core, record):
        async def work(message, ctx):
            inner = asyncio.ensure_future(asyncio.Event().wait())
            ctx.cancellation_token.link_future(inner)
            try:
                await inner
            except asyncio.CancelledError:
                record("inner work was cancelled")
                raise

        runtime, agent = await asking(core, record, work)
        runtime.start()
        token = core.CancellationToken()
        sending = asyncio.create_task(runtime.send_message("x", agent, cancellation_token=token))
        await yield_to_loop()
        token.cancel()
        record(await runtime.stop_when_idle())
        await record.outcome("sent", sending)

    same(scenario)


def test_a_published_message_carries_its_token():
    async def scenario(core, record):
        async def work(message, ctx):
            record("token", ctx.cancellation_token is token, token.is_cancelled())

        runtime, _ = await asking(core, record, work)
        runtime.start()
        token = core.CancellationToken()
        token.cancel()
        await runtime.publish_message("x", core.TopicId("agent:", "k"), cancellation_token=token)
        await runtime.stop_when_idle()

    same(scenario)


@pytest.mark.parametrize("how", ["cancel", "wait_for"])
def test_a_caller_that_gives_up_leaves_the_handler_alone(how):
    async def scenario(core, record):
        gate = asyncio.Event()

        async def work(message, ctx):
            await gate.wait()
            record("goes on", ctx.cancellation_token.is_cancelled())
            return "done"

        runtime, agent = await asking(core, record, work)
        runtime.start()
        if how == "cancel":
            sending = asyncio.create_task(runtime.send_message("x", agent))
            await yield_to_loop()
            sending.cancel()
        else:
            sending = asyncio.wait_for(runtime.send_message("x", agent), 0.02)
        await record.outcome("sent", sending)
        gate.set()
        record(await runtime.stop_when_idle())

    same(scenario)


def test_a_handler_that_raises_cancelled_cancels_its_sender():
    async def scenario(core, record):
        async def work(message, ctx):
            raise asyncio.CancelledError("from inside")

        runtime, agent = await asking(core, record, work)
        runtime.start()
        await record.outcome("sent", runtime.send_message("x", agent), words=False)
        record(await runtime.stop_when_idle())

    same(scenario)


def test_a_cancelled_handler_of_a_published_message_is_only_an_error():
    async def scenario(core, record):
        async def work(message, ctx):
            if message == "x":
                raise asyncio.CancelledError
            return message

        runtime, agent = await asking(core, record, work)
        runtime.start()
        await runtime.publish_message("x", core.TopicId("agent:", "k"))
        await yield_to_loop()
        record(await runtime.send_message("y", agent))
        record(await runtime.stop_when_idle())

    same(scenario)


def test_tokens_run_their_callbacks():
    async def scenario(core, record):
        token = core.CancellationToken()
        token.add_callback(lambda: record("first"))
        token.add_callback(lambda: record("second"))
        future = asyncio.get_running_loop().create_future()
        record(token.link_future(future) is future)
        record(token.is_cancelled())
        token.cancel()
        record(token.is_cancelled(), future.cancelled())
        token.cancel()
        token.add_callback(lambda: record("at once"))

    same(scenario)
