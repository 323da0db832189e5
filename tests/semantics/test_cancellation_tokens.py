"""The cancellation token of a message: it cancels the wait, and reaches the handler."""

import asyncio

import pytest

from .scenario import Ask, until, yield_to_loop


async def waiting_agent(scenario):
    gate, tokens, ended = asyncio.Event(), [], []

    async def waits(self, message, ctx):
        tokens.append(ctx.cancellation_token)
        await gate.wait()
        tokens.append(ctx.cancellation_token)
        ended.append(ctx.cancellation_token.is_cancelled())

    await scenario.agent("a", waits, topic="t")
    scenario.start()
    return gate, tokens, ended


async def test_the_token_cancels_the_wait_of_the_sender_and_the_handler_continues(scenario):
    gate, tokens, ended = await waiting_agent(scenario)
    token = scenario.core.CancellationToken()
    asked = asyncio.ensure_future(scenario.ask("a", cancellation_token=token))
    await until(lambda: tokens)
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert ended == []
    gate.set()
    await until(lambda: ended)
    assert ended == [True]


async def test_the_same_token_reaches_the_handler_before_and_after_a_suspension(scenario):
    gate, tokens, _ = await waiting_agent(scenario)
    token = scenario.core.CancellationToken()
    gate.set()
    await scenario.ask("a", cancellation_token=token)
    assert [seen is token for seen in tokens] == [True, True]
    tokens.clear()
    await scenario.publish("t", cancellation_token=token)
    await until(lambda: len(tokens) == 2)
    assert [seen is token for seen in tokens] == [True, True]


async def test_a_message_without_a_token_gets_one_of_its_own(scenario):
    gate, tokens, _ = await waiting_agent(scenario)
    gate.set()
    await scenario.ask("a")
    await scenario.ask("a")
    first, again, second, _ = tokens
    assert first is again
    assert first is not second
    assert isinstance(first, scenario.core.CancellationToken)
    assert not first.is_cancelled()


async def test_a_handler_can_cancel_the_wait_of_its_sender(scenario):
    ended = []

    async def handler(self, message, ctx):
        ctx.cancellation_token.cancel()
        await yield_to_loop(2)
        ended.append(1)

    await scenario.agent("a", handler)
    scenario.start()
    with pytest.raises(asyncio.CancelledError):
        await scenario.ask("a")
    await until(lambda: ended)


async def test_a_token_that_is_cancelled_already_frees_its_sender_at_once(scenario):
    gate, _, ended = await waiting_agent(scenario)
    token = scenario.core.CancellationToken()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(scenario.ask("a", cancellation_token=token), 150)
    gate.set()
    await yield_to_loop()
    assert ended in ([], [True])


async def test_a_forwarded_token_cancels_the_wait_of_both_senders(scenario):
    gate, tokens, ended = await waiting_agent(scenario)
    seen = []

    async def passes_on(self, message, ctx):
        try:
            await self.send_message(
                Ask(), scenario.id("a"), cancellation_token=ctx.cancellation_token
            )
        except asyncio.CancelledError:
            seen.append("freed")
            raise

    await scenario.agent("passes_on", passes_on)
    token = scenario.core.CancellationToken()
    asked = asyncio.ensure_future(scenario.ask("passes_on", cancellation_token=token))
    await until(lambda: tokens)
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await until(lambda: seen)
    gate.set()
    await until(lambda: ended)


async def test_a_future_linked_to_the_token_is_cancelled_with_it(scenario):
    async def handler(self, message, ctx):
        future = asyncio.get_running_loop().create_future()
        ctx.cancellation_token.link_future(future)
        with pytest.raises(asyncio.CancelledError):
            await future
        seen.append("freed")

    seen = []
    await scenario.agent("a", handler)
    scenario.start()
    token = scenario.core.CancellationToken()
    asked = asyncio.ensure_future(scenario.ask("a", cancellation_token=token))
    await yield_to_loop()
    token.cancel()
    await until(lambda: seen)
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_cancelling_a_token_after_the_response_has_no_effect(scenario):
    gate, _, _ = await waiting_agent(scenario)
    gate.set()
    token = scenario.core.CancellationToken()
    await scenario.ask("a", cancellation_token=token)
    token.cancel()
    await yield_to_loop(3)
    if hasattr(asyncio.Task, "cancelling"):
        assert asyncio.current_task().cancelling() == 0
