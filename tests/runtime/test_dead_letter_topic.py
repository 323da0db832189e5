"""Dead letters as messages: agents may subscribe to them, and nothing goes round in circles."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from ferrogen import (
    DEAD_LETTER_TOPIC,
    AgentId,
    AgentOptions,
    DeadLetter,
    MessageContext,
    RetryPolicy,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    Supervision,
    TopicId,
    TypePrefixSubscription,
    TypeSubscription,
    event,
)
from ferrogen.exceptions import RecipientNotFoundError

from .function_agents import boom, register

Runtime = SingleThreadedAgentRuntime
T = TopicId("t", "default")


@pytest.fixture
async def publishing() -> AsyncIterator[Runtime]:
    runtime = SingleThreadedAgentRuntime(publish_dead_letters=True)
    runtime.start()
    yield runtime
    await runtime.close()


async def subscribe(runtime: Runtime, name: str, act: Any) -> None:
    await register(runtime, name, act)
    await runtime.add_subscription(TypeSubscription(DEAD_LETTER_TOPIC.type, name))


async def test_a_subscriber_gets_each_letter(publishing: Runtime) -> None:
    received: list[DeadLetter] = []

    class Monitor(RoutedAgent):
        @event
        async def on_letter(self, letter: DeadLetter, ctx: MessageContext) -> None:
            assert ctx.topic_id == DEAD_LETTER_TOPIC
            received.append(letter)

    await Monitor.register(publishing, "monitor", lambda: Monitor("watches"))
    await publishing.add_subscription(TypeSubscription(DEAD_LETTER_TOPIC.type, "monitor"))
    await register(publishing, "a", boom)
    await publishing.add_subscription(TypeSubscription("t", "a"))
    await publishing.publish_message("fails", T)
    await publishing.publish_message("unrouted", TopicId("u", "default"))
    with pytest.raises(RecipientNotFoundError):
        await publishing.send_message("unknown", AgentId("unregistered", "1"))
    await publishing.stop_when_idle()
    assert received == list(publishing.dead_letters)
    assert {one.message for one in received} == {"unknown", "fails", "unrouted"}


async def test_a_runtime_does_not_publish_them_by_default() -> None:
    received: list[Any] = []

    async def act(agent: Any, message: Any, ctx: Any) -> None:
        received.append(message)
        raise OSError

    runtime = SingleThreadedAgentRuntime()
    await register(runtime, "a", act)
    await runtime.add_subscription(TypePrefixSubscription("", "a"))
    runtime.start()
    await runtime.publish_message("x", T)
    await runtime.stop_when_idle()
    assert received == ["x"]
    assert len(runtime.dead_letters) == 1


async def test_a_letter_without_subscriber_is_only_stored(publishing: Runtime) -> None:
    await publishing.publish_message("x", T)
    await publishing.stop_when_idle()
    assert [one.message for one in publishing.dead_letters] == ["x"]


async def test_a_failing_handler_of_letters_leaves_one_letter_more(publishing: Runtime) -> None:
    await subscribe(publishing, "monitor", boom)
    await publishing.publish_message("x", T)
    await publishing.stop_when_idle()
    first, second = publishing.dead_letters
    assert second.message is first
    assert second.recipient == AgentId("monitor", "default")


async def test_messages_of_the_handlers_of_letters_do_not_lead_to_further_letters(
    publishing: Runtime,
) -> None:
    received: list[Any] = []

    async def alert(agent: Any, letter: DeadLetter, ctx: Any) -> None:
        received.append(letter.message)
        await agent.publish_message(f"alert about {letter.message}", T)

    await subscribe(publishing, "one", alert)
    await subscribe(publishing, "other", alert)
    await publishing.publish_message("x", T)
    await publishing.stop_when_idle()
    assert received == ["x", "x"]
    assert [one.message for one in publishing.dead_letters] == [
        "x",
        "alert about x",
        "alert about x",
    ]


async def test_letters_of_a_runtime_that_stops_are_only_stored(publishing: Runtime) -> None:
    received: list[Any] = []

    async def act(agent: Any, letter: Any, ctx: Any) -> None:
        received.append(letter)

    await subscribe(publishing, "monitor", act)
    await register(publishing, "a")
    await publishing.add_subscription(TypeSubscription("t", "a"))
    await publishing.publish_message("x", T)
    await publishing.stop()
    assert [one.message for one in publishing.dead_letters] == ["x"]
    publishing.start()
    await publishing.stop_when_idle()
    assert received == []


async def test_letters_of_a_runtime_that_has_halted_reach_no_subscriber() -> None:
    received: list[Any] = []

    async def act(agent: Any, letter: Any, ctx: Any) -> None:
        received.append(letter)

    runtime = SingleThreadedAgentRuntime(
        publish_dead_letters=True, ignore_unhandled_exceptions=False
    )
    await register(runtime, "a", boom)
    await runtime.add_subscription(TypeSubscription("t", "a"))
    await subscribe(runtime, "monitor", act)
    runtime.start()
    await runtime.publish_message("x", T)
    with pytest.raises(KeyError):
        await runtime.stop_when_idle()
    assert received == []
    assert runtime.dead_letters[0].message == "x"
    await runtime.close()


async def cannot_be_built() -> Any:
    raise OSError("no disk")


class FailingSubscription(TypePrefixSubscription):
    def is_match(self, topic_id: TopicId) -> bool:
        if topic_id == T:
            raise OSError("no route")
        return False


async def let_a_handler_fail(runtime: Runtime) -> None:
    await register(runtime, "a", boom)
    await runtime.add_subscription(TypeSubscription("t", "a"))


async def let_a_guarded_handler_fail(runtime: Runtime) -> None:
    await let_a_handler_fail(runtime)
    runtime.set_agent_options("a", AgentOptions(retry=RetryPolicy(attempts=1)))


async def let_a_build_fail(runtime: Runtime) -> None:
    await runtime.register_factory("a", cannot_be_built)
    await runtime.add_subscription(TypeSubscription("t", "a"))


async def let_routing_fail(runtime: Runtime) -> None:
    await runtime.add_subscription(FailingSubscription("t", "a"))


async def leave_the_type_unregistered(runtime: Runtime) -> None:
    await runtime.add_subscription(TypeSubscription("t", "unregistered"))


@pytest.mark.parametrize(
    "prepare",
    [
        let_a_handler_fail,
        let_a_guarded_handler_fail,
        let_a_build_fail,
        let_routing_fail,
        leave_the_type_unregistered,
    ],
)
async def test_a_failure_that_halts_the_runtime_leaves_one_letter(prepare: Any) -> None:
    runtime = SingleThreadedAgentRuntime(
        publish_dead_letters=True, ignore_unhandled_exceptions=False
    )
    received: list[Any] = []

    async def note(agent: Any, message: Any, ctx: Any) -> None:
        received.append(message)

    await subscribe(runtime, "monitor", note)
    await prepare(runtime)
    runtime.start()
    await runtime.publish_message("fails", T)
    with pytest.raises((KeyError, OSError, LookupError)):
        await runtime.stop_when_idle()
    assert [letter.message for letter in runtime.dead_letters] == ["fails"]
    assert received == []
    await runtime.close()


@pytest.mark.parametrize("attempts", [1, 2])
async def test_an_escalated_failure_of_a_sent_message_leaves_one_letter(attempts: int) -> None:
    runtime = SingleThreadedAgentRuntime(publish_dead_letters=True)

    async def note(agent: Any, message: Any, ctx: Any) -> None:
        raise AssertionError("the runtime has halted")

    await subscribe(runtime, "monitor", note)
    await register(runtime, "a", boom)
    retry = RetryPolicy(attempts=attempts, initial_delay=0.001)
    supervision = Supervision(on_failure="escalate")
    runtime.set_agent_options("a", AgentOptions(retry=retry, supervision=supervision))
    runtime.start()
    with pytest.raises(KeyError):
        await runtime.send_message("fails", AgentId("a", "default"))
    with pytest.raises(KeyError):
        await runtime.stop()
    assert [letter.message for letter in runtime.dead_letters] == ["fails"]
    await runtime.close()


async def test_a_letter_whose_publication_is_queued_when_the_runtime_stops_is_stored_once(
    publishing: Runtime,
) -> None:
    async def note(agent: Any, message: Any, ctx: Any) -> None:
        """There is nothing to do."""

    await subscribe(publishing, "monitor", note)
    with pytest.raises(RecipientNotFoundError):
        await publishing.send_message("unknown", AgentId("unregistered", "1"))
    await publishing.stop()
    assert [letter.message for letter in publishing.dead_letters] == ["unknown"]
