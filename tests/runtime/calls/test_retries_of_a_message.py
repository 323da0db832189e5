"""Retries of one message, in place of the policy of its agents."""

import pytest

from ferrogen import (
    AgentOptions,
    DeadLetterCause,
    MessageHandlerContext,
    RetryPolicy,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)

from ..function_agents import register

ONCE_MORE = RetryPolicy(attempts=2, initial_delay=1.0, jitter="none")


@pytest.fixture
async def runtime():
    async with SingleThreadedAgentRuntime() as runtime:
        await runtime.add_subscription(TypeSubscription("orders", "clerk"))
        yield runtime


async def failing(runtime, times):
    """An agent whose handler fails so many times, and the attempts that it has made."""
    attempts = []

    async def fail(agent, message, ctx):
        attempts.append(MessageHandlerContext.attempt())
        if len(attempts) <= times:
            raise ConnectionError("busy")
        return message

    clerk = await register(runtime, "clerk", fail)
    return clerk(), attempts


async def test_the_handler_of_a_message_is_called_again(runtime):
    clerk, attempts = await failing(runtime, 1)
    assert await runtime.send_message("x", clerk, retry=ONCE_MORE) == "x"
    assert attempts == [1, 2]


async def test_other_messages_are_not_retried(runtime):
    clerk, attempts = await failing(runtime, 2)
    with pytest.raises(ConnectionError):
        await runtime.send_message("x", clerk)
    with pytest.raises(ConnectionError):
        await runtime.send_message("x", clerk)
    assert await runtime.send_message("x", clerk, retry=ONCE_MORE) == "x"
    assert attempts == [1, 1, 1]


async def test_the_last_error_goes_to_the_sender_and_the_message_is_a_dead_letter(runtime):
    clerk, attempts = await failing(runtime, 9)
    with pytest.raises(ConnectionError) as got:
        await runtime.send_message("x", clerk, retry=ONCE_MORE)
    assert "attempt 1 of 2 failed with ConnectionError: busy" in got.value.__notes__[0]
    [letter] = runtime.dead_letters
    assert (letter.message, letter.attempts) == ("x", 2)
    assert letter.cause is DeadLetterCause.HANDLER_FAILED
    assert attempts == [1, 2]


async def test_published_messages_are_retried(runtime):
    _, attempts = await failing(runtime, 1)
    await runtime.publish_message("x", TopicId("orders", "default"), retry=ONCE_MORE)
    await runtime.stop_when_idle()
    assert attempts == [1, 2]
    assert list(runtime.dead_letters) == []
    runtime.start()


async def test_the_policy_of_a_message_is_used_in_place_of_that_of_its_agent(runtime):
    clerk, attempts = await failing(runtime, 9)
    runtime.set_agent_options("clerk", AgentOptions(retry=RetryPolicy(attempts=5)))
    with pytest.raises(ConnectionError):
        await runtime.send_message("x", clerk, retry=RetryPolicy(attempts=1))
    assert attempts == [1]


async def test_agents_send_with_retries(runtime):
    clerk, attempts = await failing(runtime, 1)

    async def forward(agent, message, ctx):
        return await agent.send_message(message, clerk, retry=ONCE_MORE)

    front = await register(runtime, "front", forward)
    assert await runtime.send_message("x", front()) == "x"
    assert attempts == [1, 2]


async def test_what_is_not_a_policy_is_refused(runtime):
    clerk, attempts = await failing(runtime, 0)
    with pytest.raises(TypeError, match="retry must be a RetryPolicy, or None; got 3"):
        await runtime.send_message("x", clerk, retry=3)
    assert attempts == []
