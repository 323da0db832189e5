"""The cancellation token of a message: it cancels the wait, and reaches the handler."""

import asyncio

import pytest

from .world import Ask, turns, until


async def waiting_agent(world):
    gate, tokens, ended = asyncio.Event(), [], []

    async def waits(self, message, ctx):
        tokens.append(ctx.cancellation_token)
        await gate.wait()
        tokens.append(ctx.cancellation_token)
        ended.append(ctx.cancellation_token.is_cancelled())

    await world.agent("a", waits, topic="t")
    world.start()
    return gate, tokens, ended


async def test_the_token_cancels_the_wait_of_the_sender_and_the_handler_continues(world):
    gate, tokens, ended = await waiting_agent(world)
    token = world.core.CancellationToken()
    asked = asyncio.ensure_future(world.ask("a", cancellation_token=token))
    await until(lambda: tokens)
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    assert ended == []
    gate.set()
    await until(lambda: ended)
    assert ended == [True]


async def test_the_same_token_reaches_the_handler_before_and_after_a_suspension(world):
    gate, tokens, _ = await waiting_agent(world)
    token = world.core.CancellationToken()
    gate.set()
    await world.ask("a", cancellation_token=token)
    assert [seen is token for seen in tokens] == [True, True]
    tokens.clear()
    await world.publish("t", cancellation_token=token)
    await until(lambda: len(tokens) == 2)
    assert [seen is token for seen in tokens] == [True, True]


async def test_a_message_without_a_token_gets_one_of_its_own(world):
    gate, tokens, _ = await waiting_agent(world)
    gate.set()
    await world.ask("a")
    await world.ask("a")
    first, again, second, _ = tokens
    assert first is again
    assert first is not second
    assert isinstance(first, world.core.CancellationToken)
    assert not first.is_cancelled()


async def test_a_handler_can_cancel_the_wait_of_its_sender(world):
    ended = []

    async def handler(self, message, ctx):
        ctx.cancellation_token.cancel()
        await turns(2)
        ended.append(1)

    await world.agent("a", handler)
    world.start()
    with pytest.raises(asyncio.CancelledError):
        await world.ask("a")
    await until(lambda: ended)


async def test_a_token_that_is_cancelled_already_frees_its_sender_at_once(world):
    gate, _, ended = await waiting_agent(world)
    token = world.core.CancellationToken()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(world.ask("a", cancellation_token=token), 5)
    gate.set()
    await turns()
    assert ended in ([], [True])


async def test_a_forwarded_token_cancels_the_wait_of_both_senders(world):
    gate, tokens, ended = await waiting_agent(world)
    seen = []

    async def passes_on(self, message, ctx):
        try:
            await self.send_message(Ask(), world.id("a"), cancellation_token=ctx.cancellation_token)
        except asyncio.CancelledError:
            seen.append("freed")
            raise

    await world.agent("passes_on", passes_on)
    token = world.core.CancellationToken()
    asked = asyncio.ensure_future(world.ask("passes_on", cancellation_token=token))
    await until(lambda: tokens)
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asked
    await until(lambda: seen)
    gate.set()
    await until(lambda: ended)


async def test_a_future_linked_to_the_token_is_cancelled_with_it(world):
    async def handler(self, message, ctx):
        future = asyncio.get_running_loop().create_future()
        ctx.cancellation_token.link_future(future)
        with pytest.raises(asyncio.CancelledError):
            await future
        seen.append("freed")

    seen = []
    await world.agent("a", handler)
    world.start()
    token = world.core.CancellationToken()
    asked = asyncio.ensure_future(world.ask("a", cancellation_token=token))
    await turns()
    token.cancel()
    await until(lambda: seen)
    with pytest.raises(asyncio.CancelledError):
        await asked


async def test_cancelling_a_token_after_the_response_has_no_effect(world):
    gate, _, _ = await waiting_agent(world)
    gate.set()
    token = world.core.CancellationToken()
    await world.ask("a", cancellation_token=token)
    token.cancel()
    await turns(3)
    if hasattr(asyncio.Task, "cancelling"):
        assert asyncio.current_task().cancelling() == 0
