"""Messages that are sent after the deadline of the chain that they belong to."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import pytest

from ferrogen import (
    AgentId,
    DeadLetterCause,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    message_handler,
)
from ferrogen.exceptions import DeadlineExceededError


@dataclass
class Go:
    pass


async def send(agent):
    await agent.send_message(Go(), AgentId("node", "second"))


async def gather(agent):
    await asyncio.gather(agent.send_message(Go(), AgentId("node", "second")))


async def task(agent):
    await asyncio.create_task(agent.send_message(Go(), AgentId("node", "second")))


async def publish(agent):
    await agent.publish_message(Go(), TopicId("late", "second"))


@pytest.mark.parametrize("way", [send, gather, task, publish], ids=lambda way: way.__name__)
async def test_what_a_handler_sends_after_its_deadline_is_not_handled(way):
    seen, errors = [], []

    class Node(RoutedAgent):
        @message_handler
        async def on_go(self, message: Go, ctx: MessageContext) -> None:
            seen.append(self.id.key)
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            # It goes on after its deadline.
            try:
                await way(self)
            except DeadlineExceededError as error:
                errors.append(error)

    runtime = SingleThreadedAgentRuntime()
    await Node.register(runtime, "node", lambda: Node("goes"))
    await runtime.add_subscription(TypeSubscription("late", "node"))
    runtime.start()
    with pytest.raises(DeadlineExceededError):
        await runtime.send_message(Go(), AgentId("node", "first"), timeout=60)
    await runtime.stop_when_idle()
    assert seen == ["first"]
    assert len(errors) == (way is not publish)
    assert [letter.cause for letter in runtime.dead_letters] == [DeadLetterCause.EXPIRED]
    await runtime.close()
