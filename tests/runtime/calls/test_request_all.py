"""Requests to all subscribers: who responded, who failed, and who is missing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    CancellationToken,
    MessageContext,
    SingleThreadedAgentRuntime,
    TopicId,
    TypePrefixSubscription,
    TypeSubscription,
)
from ferrogen.exceptions import NoSubscriberError, RecipientNotFoundError, ResponseTypeError

from ..function_agents import Doing, boom, register
from .clock import now
from .messages import Question

Runtime = SingleThreadedAgentRuntime
POLL = TopicId("poll", "one")
QUESTION = Question("?")


async def subscribe(runtime: Runtime, name: str, act: Any) -> AgentId:
    agent = await register(runtime, name, act)
    await runtime.add_subscription(TypeSubscription("poll", name))
    return agent("one")


def after(seconds: float) -> Any:
    """Return a handler that takes some time, and responds with the name of its agent."""

    async def respond(agent: Doing, message: Any, ctx: MessageContext) -> str:
        await asyncio.sleep(seconds)
        return agent.id.type

    return respond


async def keep_tokens(runtime: Runtime, seconds: float) -> list[CancellationToken]:
    """Subscribe an agent that takes some time; return the tokens that it gets."""
    tokens: list[CancellationToken] = []

    async def keep(agent: Doing, message: Any, ctx: MessageContext) -> None:
        tokens.append(ctx.cancellation_token)
        await asyncio.sleep(seconds)

    await subscribe(runtime, "a", keep)
    return tokens


async def test_every_subscriber_responds(runtime: Runtime) -> None:
    slow = await subscribe(runtime, "slow", after(5))
    fast = await subscribe(runtime, "fast", after(1))
    gathered = await runtime.request_all(QUESTION, POLL)
    assert list(gathered.responses.items()) == [(fast, "fast"), (slow, "slow")]
    assert (gathered.failures, gathered.missing) == ({}, ())
    assert gathered.is_complete
    assert gathered.has_quorum
    assert now() == 5


async def test_failures_are_kept_by_agent(runtime: Runtime) -> None:
    a = await subscribe(runtime, "a", after(1))
    b = await subscribe(runtime, "b", boom)
    gathered = await runtime.request_all(QUESTION, POLL)
    assert gathered.responses == {a: "a"}
    assert isinstance(gathered.failures[b], KeyError)
    assert not gathered.is_complete
    assert not gathered.has_quorum


async def test_a_handler_that_is_cancelled_has_failed(runtime: Runtime) -> None:
    async def cancel(agent: Doing, message: Any, ctx: MessageContext) -> None:
        raise asyncio.CancelledError

    a = await subscribe(runtime, "a", cancel)
    gathered = await runtime.request_all(QUESTION, POLL)
    assert isinstance(gathered.failures[a], asyncio.CancelledError)


async def test_an_unregistered_subscriber_has_failed(runtime: Runtime) -> None:
    a = await subscribe(runtime, "a", after(0))
    await runtime.add_subscription(TypeSubscription("poll", "unregistered"))
    gathered = await runtime.request_all(QUESTION, POLL)
    assert gathered.responses == {a: "a"}
    (failure,) = gathered.failures.values()
    assert isinstance(failure, RecipientNotFoundError)


async def test_the_call_returns_at_the_timeout_with_what_is_there(runtime: Runtime) -> None:
    fast = await subscribe(runtime, "fast", after(1))
    slow = await subscribe(runtime, "slow", after(60))
    gathered = await runtime.request_all(QUESTION, POLL, timeout=10)
    assert now() == 10
    await asyncio.sleep(100)  # what comes later changes nothing
    assert gathered.responses == {fast: "fast"}
    assert gathered.failures == {}
    assert gathered.missing == (slow,)
    assert not gathered.is_complete


async def test_the_call_returns_at_the_quorum(runtime: Runtime) -> None:
    agents = [await subscribe(runtime, f"a{n}", after(n)) for n in (4, 1, 3, 2)]
    gathered = await runtime.request_all(QUESTION, POLL, quorum=2)
    assert now() == 2
    assert list(gathered.responses.values()) == ["a1", "a2"]
    assert gathered.missing == (agents[0], agents[2])
    assert gathered.has_quorum
    assert not gathered.is_complete


async def test_failures_do_not_count_for_the_quorum(runtime: Runtime) -> None:
    await subscribe(runtime, "bad", boom)
    a = await subscribe(runtime, "a", after(3))
    gathered = await runtime.request_all(QUESTION, POLL, quorum=1)
    assert gathered.responses == {a: "a"}
    assert now() == 3


async def test_a_quorum_that_cannot_be_reached_ends_with_the_last_recipient(
    runtime: Runtime,
) -> None:
    await subscribe(runtime, "a", after(3))
    gathered = await runtime.request_all(QUESTION, POLL, quorum=5)
    assert gathered.is_complete
    assert not gathered.has_quorum
    assert now() == 3


async def test_handlers_that_run_at_the_end_see_a_cancelled_token_and_continue(
    runtime: Runtime,
) -> None:
    seen: list[tuple[str, bool]] = []

    def look_after(seconds: float) -> Any:
        async def look(agent: Doing, message: Any, ctx: MessageContext) -> str:
            await asyncio.sleep(seconds)
            seen.append((agent.id.type, ctx.cancellation_token.is_cancelled()))
            return "seen"

        return look

    await subscribe(runtime, "fast", look_after(1))
    await subscribe(runtime, "slow", look_after(5))
    await runtime.request_all(QUESTION, POLL, quorum=1)
    await runtime.stop_when_idle()
    assert seen == [("fast", False), ("slow", True)]
    assert now() == 5


async def test_a_response_does_not_cancel_the_token_of_its_handler(runtime: Runtime) -> None:
    tokens = await keep_tokens(runtime, seconds=0)
    await runtime.request_all(QUESTION, POLL)
    assert [token.is_cancelled() for token in tokens] == [False]


async def test_requests_that_are_queued_at_the_end_have_a_cancelled_token(
    runtime: Runtime,
) -> None:
    started: list[tuple[str, bool]] = []

    async def work(agent: Doing, message: Any, ctx: MessageContext) -> None:
        started.append((message.text, ctx.cancellation_token.is_cancelled()))
        await asyncio.sleep(30)

    busy = await subscribe(runtime, "busy", work)
    runtime.set_agent_options("busy", AgentOptions(concurrency=1))
    await subscribe(runtime, "free", after(1))
    first = asyncio.ensure_future(runtime.send_message(Question("first"), busy))
    await asyncio.sleep(1)
    gathered = await runtime.request_all(QUESTION, POLL, quorum=1)
    assert gathered.missing == (busy,)
    assert started == [("first", False)]
    await first
    await runtime.stop_when_idle()
    assert started == [("first", False), ("?", True)]


async def test_the_recipients_are_those_of_a_published_message(runtime: Runtime) -> None:
    a = await subscribe(runtime, "a", after(0))
    b = await subscribe(runtime, "b", after(0))
    await runtime.add_subscription(TypePrefixSubscription("po", "a"))  # again
    gathered = await runtime.request_all(QUESTION, POLL, sender=b)
    assert gathered.responses == {a: "a"}


async def test_handlers_get_a_request(runtime: Runtime) -> None:
    async def look(agent: Doing, message: Any, ctx: MessageContext) -> Any:
        return ctx.is_rpc, ctx.topic_id, ctx.sender

    a = await subscribe(runtime, "a", look)
    sender = AgentId("b", "x")
    gathered = await runtime.request_all(QUESTION, POLL, sender=sender)
    assert gathered.responses == {a: (True, None, sender)}


async def test_a_response_of_another_type_is_a_failure(runtime: Runtime) -> None:
    async def none(agent: Doing, message: Any, ctx: MessageContext) -> None:
        return None

    a = await subscribe(runtime, "a", after(0))
    b = await subscribe(runtime, "b", none)
    gathered = await runtime.request_all(QUESTION, POLL, response_type=str)
    assert gathered.responses == {a: "a"}
    assert isinstance(gathered.failures[b], ResponseTypeError)


async def test_a_topic_without_subscriber_is_an_error_and_a_dead_letter(runtime: Runtime) -> None:
    sender = await subscribe(runtime, "a", after(0))
    for topic in (TopicId("other", "one"), POLL):
        with pytest.raises(NoSubscriberError, match=r"no subscriber for the request Question"):
            await runtime.request_all(QUESTION, topic, sender=sender)
        assert runtime.dead_letters[-1].receiver == topic
        assert isinstance(runtime.dead_letters[-1].reason, NoSubscriberError)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
async def test_a_timeout_that_is_no_time_is_refused(runtime: Runtime, timeout: float) -> None:
    await subscribe(runtime, "a", after(0))
    with pytest.raises(ValueError, match="timeout must be"):
        await runtime.request_all(QUESTION, POLL, timeout=timeout)


@pytest.mark.parametrize("quorum", [0, -1, 1.5, True])
async def test_a_quorum_that_is_no_number_of_responses_is_refused(
    runtime: Runtime, quorum: Any
) -> None:
    await subscribe(runtime, "a", after(0))
    with pytest.raises(ValueError, match="quorum must be"):
        await runtime.request_all(QUESTION, POLL, quorum=quorum)


async def test_a_topic_is_required(runtime: Runtime) -> None:
    topic: Any = "poll"
    with pytest.raises(TypeError, match="TopicId"):
        await runtime.request_all(QUESTION, topic)


async def test_a_token_cancels_the_call_and_all_requests(runtime: Runtime) -> None:
    tokens = await keep_tokens(runtime, seconds=60)
    token = CancellationToken()
    asyncio.get_running_loop().call_later(5, token.cancel)
    with pytest.raises(asyncio.CancelledError):
        await runtime.request_all(QUESTION, POLL, cancellation_token=token)
    assert now() == 5
    assert [one.is_cancelled() for one in tokens] == [True]


async def test_cancelling_the_caller_cancels_all_requests(runtime: Runtime) -> None:
    tokens = await keep_tokens(runtime, seconds=60)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(runtime.request_all(QUESTION, POLL), 5)
    assert [one.is_cancelled() for one in tokens] == [True]


@pytest.mark.parametrize("timeout", ["1", True])
async def test_a_timeout_that_is_no_number_is_named(timeout):
    runtime = SingleThreadedAgentRuntime()
    with pytest.raises(ValueError, match="timeout must be a number of seconds greater than 0"):
        await runtime.request_all("hello", TopicId("a", "b"), timeout=timeout)
    with pytest.raises(ValueError, match="timeout must be a number of seconds greater than 0"):
        await runtime.stop(drain=True, timeout=timeout)
    await runtime.close()
