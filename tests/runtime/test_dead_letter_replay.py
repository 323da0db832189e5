"""Replaying dead letters: their messages are sent again, to those that have not handled them."""

from __future__ import annotations

from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    MessageContext,
    RetryPolicy,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import RecipientNotFoundError, ReplayError, RuntimeStoppedError

from .function_agents import Doing, register, until_idle

Runtime = SingleThreadedAgentRuntime
A = AgentId("a", "default")
T = TopicId("t", "default")


class Repairable:
    """A handler that fails until it is repaired, and keeps what it has handled."""

    def __init__(self) -> None:
        self.is_broken = True
        self.handled: list[tuple[Any, MessageContext]] = []

    async def __call__(self, agent: Any, message: Any, ctx: MessageContext) -> Any:
        if self.is_broken:
            raise OSError("broken")
        self.handled.append((message, ctx))
        return f"handled {message}"

    @property
    def messages(self) -> list[Any]:
        return [message for message, _ctx in self.handled]


async def broken(runtime: Runtime, name: str = "a", **options: Any) -> Repairable:
    act = Repairable()
    await register(runtime, name, act)
    await runtime.add_subscription(TypeSubscription("t", name))
    runtime.set_agent_options(name, AgentOptions(**options))
    return act


async def test_a_sent_message_is_sent_again_and_its_response_returned(runtime: Runtime) -> None:
    act = await broken(runtime, retry=RetryPolicy(attempts=1))
    sender = AgentId("s", "1")
    with pytest.raises(OSError, match="broken"):
        await runtime.send_message("x", A, sender=sender, message_id="m1")
    act.is_broken = False
    assert await runtime.dead_letters.replay(runtime.dead_letters[0]) == "handled x"
    ((message, ctx),) = act.handled
    assert (message, ctx.sender, ctx.message_id, ctx.is_rpc) == ("x", sender, "m1", True)
    assert len(runtime.dead_letters) == 0


async def test_a_message_that_fails_again_is_one_letter_the_newest(runtime: Runtime) -> None:
    await broken(runtime, retry=RetryPolicy(attempts=1))
    with pytest.raises(OSError, match="broken"):
        await runtime.send_message("x", A)
    (first,) = runtime.dead_letters
    with pytest.raises(OSError, match="broken"):
        await runtime.dead_letters.replay(first)
    (second,) = runtime.dead_letters
    assert second is not first
    assert second.message == "x"


async def test_a_letter_stays_if_its_message_was_not_accepted(runtime: Runtime) -> None:
    with pytest.raises(RecipientNotFoundError):
        await runtime.send_message("x", A)
    (letter,) = runtime.dead_letters
    await runtime.close()
    with pytest.raises(RuntimeStoppedError):
        await runtime.dead_letters.replay(letter)
    assert list(runtime.dead_letters) == [letter]


async def test_a_published_message_goes_only_to_the_agent_that_has_failed(
    runtime: Runtime,
) -> None:
    one, other = await broken(runtime, "a"), await broken(runtime, "b")
    other.is_broken = False
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    one.is_broken = False
    await runtime.dead_letters.replay(runtime.dead_letters[0])
    await until_idle(runtime)
    assert (one.messages, other.messages) == (["x"], ["x"])
    assert not one.handled[0][1].is_rpc
    assert one.handled[0][1].topic_id == TopicId("a:t", "default")
    assert len(runtime.dead_letters) == 0


async def test_the_topic_is_the_same_if_the_agent_is_its_only_recipient(runtime: Runtime) -> None:
    act, other = await broken(runtime, "a"), await broken(runtime, "b")
    sender = AgentId("b", "default")  # subscribes, and does not get what it publishes
    await runtime.publish_message("x", T, sender=sender)
    await until_idle(runtime)
    act.is_broken = False
    await runtime.dead_letters.replay(runtime.dead_letters[0])
    await until_idle(runtime)
    assert act.handled[0][1].topic_id == T
    assert act.handled[0][1].sender == sender
    assert other.handled == []


async def test_a_message_that_would_reach_others_is_not_replayed(runtime: Runtime) -> None:
    acts = [Repairable(), Repairable()]
    for name, act in zip("ab", acts, strict=True):
        await Doing.register(
            runtime,
            name,
            lambda act=act: Doing(act),  # type: ignore[misc]
            skip_direct_message_subscription=True,
        )
        await runtime.add_subscription(TypeSubscription("t", name))
    acts[1].is_broken = False
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    (letter,) = runtime.dead_letters
    with pytest.raises(ReplayError, match="cannot be published to a/default alone"):
        await runtime.dead_letters.replay(letter)
    assert list(runtime.dead_letters) == [letter]


async def test_a_message_without_subscriber_is_published_again(runtime: Runtime) -> None:
    await runtime.publish_message("x", T)
    await until_idle(runtime)
    act = await broken(runtime)
    act.is_broken = False
    await runtime.dead_letters.replay(runtime.dead_letters[0])
    await until_idle(runtime)
    assert act.messages == ["x"]
    assert len(runtime.dead_letters) == 0


async def test_several_letters_are_replayed_past_those_that_fail(runtime: Runtime) -> None:
    act = await broken(runtime, retry=RetryPolicy(attempts=1))
    for message in ("x", "y"):
        with pytest.raises(OSError, match="broken"):
            await runtime.send_message(message, A)
    with pytest.raises(RecipientNotFoundError):
        await runtime.send_message("z", AgentId("unknown", "1"))
    act.is_broken = False
    letters = tuple(runtime.dead_letters)
    report = await runtime.dead_letters.replay(runtime.dead_letters.filter(message_type=str))
    assert report.replayed == letters[:2]
    ((failed, error),) = report.failed
    assert failed is letters[2]
    assert isinstance(error, RecipientNotFoundError)
    assert [one.message for one in runtime.dead_letters] == ["z"]
