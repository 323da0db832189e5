"""What intervention handlers can make of a message besides changing and dropping it."""

import asyncio

import pytest

from ferrogen import (
    AgentId,
    DeadLetterCause,
    DefaultInterventionHandler,
    Delay,
    Redirect,
    Reject,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import RecipientNotFoundError

from .function_agents import register, tally


class Intervenes(DefaultInterventionHandler):
    """Applies a function to messages of one kind."""

    def __init__(self, kind, outcome, *, suspends=False, priority=0, name=""):
        self.kind, self.outcome, self.suspends = kind, outcome, suspends
        self.priority, self.name = priority, name
        self.saw = []

    async def _intervene(self, kind, message, how):
        if kind != self.kind:
            return message
        if self.suspends:
            await asyncio.sleep(0)
        self.saw.append(message)
        return self.outcome(message, how)

    async def on_send(self, message, **how):
        return await self._intervene("send", message, how)

    async def on_publish(self, message, **how):
        return await self._intervene("publish", message, how)

    async def on_response(self, message, **how):
        return await self._intervene("response", message, how)


@pytest.fixture(params=["inline", "suspending"])
def start(request):
    """Starts a runtime with two agents, which note what they get; returns it and the notes."""
    runtimes = []

    async def start(kind, outcome):
        handler = Intervenes(kind, outcome, suspends="suspending" in request.param)
        runtime = SingleThreadedAgentRuntime(intervention_handlers=[handler])
        seen = []

        async def note(agent, message, ctx):
            seen.append((str(agent.id), message, "sent" if ctx.is_rpc else str(ctx.topic_id)))
            return f"{message} at {agent.id.type}"

        for name in ("old", "new"):
            await register(runtime, name, note)
            await runtime.add_subscription(TypeSubscription(f"{name}-news", name))
        runtime.start()
        runtimes.append(runtime)
        return runtime, seen

    return start


OLD, NEW = AgentId("old", "1"), AgentId("new", "1")
NEWS = TopicId("new-news", "1")


async def test_a_message_is_redirected_to_another_agent(start):
    runtime, seen = await start("send", lambda message, how: Redirect(NEW))
    assert await runtime.send_message("hello", OLD) == "hello at new"
    assert seen == [("new/1", "hello", "sent")]
    assert tally(runtime)["responded"] == 1
    await runtime.close()


async def test_a_redirection_can_change_the_message(start):
    runtime, _ = await start("send", lambda message, how: Redirect(NEW, "changed"))
    assert await runtime.send_message("hello", OLD) == "changed at new"
    await runtime.close()


async def test_a_message_is_redirected_to_a_topic(start):
    runtime, seen = await start("send", lambda message, how: Redirect(NEWS))
    assert await runtime.send_message("hello", OLD) is None
    await runtime.stop_when_idle()
    assert seen == [("new/1", "hello", "new-news/1")]


async def test_a_published_message_is_redirected_to_one_agent(start):
    runtime, seen = await start("publish", lambda message, how: Redirect(NEW))
    await runtime.publish_message("hello", TopicId("old-news", "1"))
    await runtime.stop_when_idle()
    assert seen == [("new/1", "hello", "old-news/1")]


async def test_a_published_message_is_redirected_to_another_topic(start):
    runtime, seen = await start("publish", lambda message, how: Redirect(NEWS))
    await runtime.publish_message("hello", TopicId("old-news", "1"))
    await runtime.stop_when_idle()
    assert seen == [("new/1", "hello", "new-news/1")]


async def test_a_response_is_redirected_to_another_agent(start):
    def outcome(message, how):
        return Redirect(NEW) if how["sender"] == OLD else message

    runtime, seen = await start("response", outcome)
    assert await runtime.send_message("hello", OLD) == "hello at old at new"
    assert seen == [("old/1", "hello", "sent"), ("new/1", "hello at old", "sent")]
    assert tally(runtime)["responded"] == 2
    await runtime.stop_when_idle()


async def test_a_response_is_redirected_to_a_topic(start):
    runtime, seen = await start("response", lambda message, how: Redirect(NEWS))
    assert await runtime.send_message("hello", OLD) is None
    await runtime.stop_when_idle()
    assert seen == [("old/1", "hello", "sent"), ("new/1", "hello at old", "new-news/1")]


async def test_a_redirection_to_an_unknown_agent_is_an_error_of_the_sender(start):
    runtime, seen = await start("send", lambda message, how: Redirect(AgentId("unknown", "1")))
    with pytest.raises(RecipientNotFoundError, match="unknown"):
        await runtime.send_message("hello", OLD)
    [letter] = runtime.dead_letters
    assert letter.cause is DeadLetterCause.UNKNOWN_RECIPIENT
    assert seen == []
    await runtime.close()


@pytest.mark.parametrize("kind", ["send", "response"])
async def test_the_sender_gets_the_error_of_a_rejection(start, kind):
    error = PermissionError("log in first")
    runtime, _ = await start(kind, lambda message, how: Reject(error))
    with pytest.raises(PermissionError) as got:
        await runtime.send_message("hello", OLD)
    assert got.value is error
    assert tally(runtime)["dropped"] == 1
    await runtime.close()


@pytest.mark.parametrize("kind", ["send", "publish"])
async def test_a_rejected_message_is_a_dead_letter(start, kind):
    runtime, seen = await start(kind, lambda message, how: Reject(PermissionError("log in")))
    if kind == "send":
        with pytest.raises(PermissionError):
            await runtime.send_message("hello", OLD)
    else:
        await runtime.publish_message("hello", TopicId("old-news", "1"))
    await runtime.stop_when_idle()
    [letter] = runtime.dead_letters
    assert (letter.message, letter.cause) == ("hello", DeadLetterCause.REJECTED)
    assert isinstance(letter.reason, PermissionError)
    assert seen == []


def test_outcomes_check_their_arguments():
    with pytest.raises(TypeError, match="Redirect takes an AgentId or a TopicId, not 'old'"):
        Redirect("old")
    with pytest.raises(TypeError, match="Reject takes an exception"):
        Reject("no")
    for seconds in (-1, float("nan"), float("inf"), "soon", True):
        with pytest.raises(ValueError, match="seconds must be a number of seconds of at least 0"):
            Delay(seconds)


async def test_intervention_handlers_are_called_by_priority_then_in_their_order():
    order = []

    def named(name, priority):
        def outcome(message, how):
            order.append(name)
            return message

        return Intervenes("send", outcome, priority=priority)

    handlers = [named("a", 0), named("b", 5), named("c", -1), named("d", 0), named("e", 5)]
    runtime = SingleThreadedAgentRuntime(intervention_handlers=handlers)

    async def ignore(agent, message, ctx):
        return "ignored"

    await register(runtime, "old", ignore)
    runtime.start()
    await runtime.send_message("hello", OLD)
    assert order == ["b", "e", "a", "d", "c"]
    order.clear()
    handlers.append(named("first", 9))  # the list is the caller's own
    del handlers[1]
    await runtime.send_message("hello", OLD)
    assert order == ["first", "e", "a", "d", "c"]
    await runtime.close()


async def test_handlers_without_a_priority_have_zero():
    order = []

    class Bare:
        async def on_send(self, message, *, message_context, recipient):
            order.append("bare")
            return message

        async def on_publish(self, message, *, message_context):
            return message

        async def on_response(self, message, *, sender, recipient):
            return message

    def outcome(message, how):
        order.append("late")
        return message

    late = Intervenes("send", outcome, priority=-1)
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[late, Bare()])

    async def ignore(agent, message, ctx):
        return "ignored"

    await register(runtime, "old", ignore)
    runtime.start()
    await runtime.send_message("hello", OLD)
    assert order == ["bare", "late"]
    await runtime.close()


async def test_a_priority_that_is_no_number_is_an_error_of_the_sender():
    handler = Intervenes("send", lambda message, how: message, priority="high")
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[handler])

    async def ignore(agent, message, ctx):
        return "ignored"

    await register(runtime, "old", ignore)
    runtime.start()
    with pytest.raises(TypeError, match=r"priority of intervention handler .* whole number"):
        await runtime.send_message("hello", OLD)
    await runtime.close()


async def test_later_handlers_see_the_redirected_message():
    later = Intervenes("publish", lambda message, how: message)
    first = Intervenes("send", lambda message, how: Redirect(NEWS, "changed"))
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[first, later])
    seen = []

    async def note(agent, message, ctx):
        seen.append(message)

    await register(runtime, "old", note)
    await register(runtime, "new", note)
    await runtime.add_subscription(TypeSubscription("new-news", "new"))
    runtime.start()
    await runtime.send_message("hello", OLD)
    await runtime.stop_when_idle()
    assert later.saw == ["changed"]
    assert seen == ["changed"]
