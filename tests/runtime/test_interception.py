"""Interception: handlers form a chain, and may drop or replace a message, raise or return None."""

from __future__ import annotations

from typing import Any

import pytest

from ferrogen import (
    AgentId,
    DeadLetterCause,
    DefaultInterventionHandler,
    DropMessage,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import MessageDroppedException

from .function_agents import Doing, register, tally


class Rewriting(DefaultInterventionHandler):
    """Applies a function to each message and response, and records them."""

    def __init__(self, rewrite: Any) -> None:
        self.rewrite = rewrite
        self.saw: list[Any] = []

    async def on_send(self, message: Any, **how: Any) -> Any:
        self.saw.append(("send", message, str(how["recipient"])))
        return self.rewrite(message)

    async def on_publish(self, message: Any, **how: Any) -> Any:
        self.saw.append(("publish", message, str(how["message_context"].topic_id)))
        return self.rewrite(message)

    async def on_response(self, message: Any, **how: Any) -> Any:
        self.saw.append(("response", message, str(how["sender"])))
        return self.rewrite(message)


def add(text: str) -> Rewriting:
    return Rewriting(lambda message: message + text)


async def started(*handlers: Any) -> tuple[SingleThreadedAgentRuntime, list[Any], AgentId]:
    received: list[Any] = []

    async def receive(agent: Doing, message: Any, ctx: Any) -> Any:
        received.append(message)
        return message

    runtime = SingleThreadedAgentRuntime(intervention_handlers=list(handlers))
    await runtime.add_subscription(TypeSubscription("news", "subscriber"))
    subscriber = await register(runtime, "subscriber", receive)
    runtime.start()
    return runtime, received, subscriber()


async def test_each_handler_gets_what_the_one_before_made_of_the_message() -> None:
    first, second = add("+1"), add("+2")
    runtime, received, subscriber = await started(first, second)
    response = await runtime.send_message("x", subscriber)
    await runtime.publish_message("y", TopicId("news", "default"))
    await runtime.stop_when_idle()
    assert received == ["x+1+2", "y+1+2"]
    assert response == "x+1+2+1+2"
    assert [seen for _, seen, _ in second.saw] == ["x+1", "x+1+2+1", "y+1"]


@pytest.mark.parametrize("drop", [DropMessage, DropMessage()], ids=["class", "instance"])
async def test_a_dropped_message_still_reaches_idle_and_no_later_handler(drop: Any) -> None:
    after = add("!")
    runtime, received, subscriber = await started(Rewriting(lambda message: drop), after)
    with pytest.raises(MessageDroppedException):
        await runtime.send_message("x", subscriber)
    await runtime.publish_message("y", TopicId("news", "default"))
    await runtime.stop_when_idle()
    assert (received, after.saw) == ([], [])
    assert tally(runtime)["dropped"] == 2
    assert [one.cause for one in runtime.dead_letters] == [DeadLetterCause.DROPPED] * 2


async def test_a_dropped_response_is_an_error_for_its_sender() -> None:
    class Mute(DefaultInterventionHandler):
        async def on_response(self, message: Any, **how: Any) -> Any:
            return DropMessage

    runtime, received, subscriber = await started(Mute())
    with pytest.raises(MessageDroppedException):
        await runtime.send_message("x", subscriber)
    assert received == ["x"]
    await runtime.stop_when_idle()


async def test_an_error_of_a_handler_is_the_senders() -> None:
    def fail(message: Any) -> Any:
        raise PermissionError(message)

    runtime, received, subscriber = await started(Rewriting(fail))
    with pytest.raises(PermissionError):
        await runtime.send_message("x", subscriber)
    await runtime.publish_message("y", TopicId("news", "default"))
    await runtime.stop_when_idle()
    assert received == []
    assert tally(runtime)["failed"] == 2


async def test_a_handler_that_returns_nothing_is_warned_about_and_changes_nothing() -> None:
    runtime, received, subscriber = await started(Rewriting(lambda message: None))
    with (
        pytest.warns(RuntimeWarning, match=r"Rewriting\.on_send returned None"),
        pytest.warns(RuntimeWarning, match=r"Rewriting\.on_response returned None"),
    ):
        assert await runtime.send_message("x", subscriber) == "x"
    await runtime.stop_when_idle()
    assert received == ["x"]


async def test_handlers_added_to_the_list_later_are_called() -> None:
    handlers: list[Any] = []
    runtime = SingleThreadedAgentRuntime(intervention_handlers=handlers)
    subscriber = await register(runtime, "subscriber")
    runtime.start()
    assert await runtime.send_message("x", subscriber()) == "x"
    handlers.append(add("!"))
    assert await runtime.send_message("x", subscriber()) == "x!!"
    await runtime.stop_when_idle()


async def test_a_handler_may_send_through_the_runtime_itself() -> None:
    class Asking(DefaultInterventionHandler):
        async def on_send(self, message: Any, *, recipient: AgentId, **how: Any) -> Any:
            if recipient.type == "subscriber":
                await runtime.publish_message(f"about {message}", TopicId("news", "default"))
            return message

    runtime, received, subscriber = await started(Asking())
    assert await runtime.send_message("x", subscriber) == "x"
    await runtime.stop_when_idle()
    assert received == ["x", "about x"]
