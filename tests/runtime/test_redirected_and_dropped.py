"""Messages and responses that one intervention handler redirects, and a later one refuses."""

import asyncio

import pytest

from ferrogen import (
    AgentId,
    DefaultInterventionHandler,
    DropMessage,
    Redirect,
    Reject,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
)
from ferrogen.exceptions import MessageDroppedException

from .function_agents import register, tally

OLD, NEW = AgentId("old", "1"), AgentId("new", "1")
NEWS = TopicId("news", "1")


class Redirects(DefaultInterventionHandler):
    """Redirects what is sent to, or comes from, the old agent."""

    def __init__(self, kind, to):
        self.kind, self.to = kind, to

    async def on_send(self, message, *, recipient, **how):
        return Redirect(self.to) if self.kind == "send" and recipient == OLD else message

    async def on_response(self, message, *, sender, **how):
        return Redirect(self.to) if self.kind == "response" and sender == OLD else message


class Refuses(DefaultInterventionHandler):
    """Refuses what was redirected."""

    def __init__(self, outcome, *, suspends):
        self.outcome, self.suspends = outcome, suspends
        self.knows = False

    async def refuse(self):
        if self.suspends:
            await asyncio.sleep(0)
        self.knows = True
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome

    async def on_send(self, message, *, recipient, **how):
        return await self.refuse() if recipient == NEW else message

    async def on_publish(self, message, **how):
        return await self.refuse()


REFUSALS = {
    "dropped": (DropMessage, MessageDroppedException),
    "rejected": (Reject(PermissionError("no")), PermissionError),
    "raises": (OSError("disk full"), OSError),
}


@pytest.mark.parametrize("is_nested", [False, True], ids=["from outside", "from a handler"])
@pytest.mark.parametrize("suspends", [False, True], ids=["inline", "suspending"])
@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("to", [NEW, NEWS], ids=["agent", "topic"])
@pytest.mark.parametrize("kind", ["send", "response"])
async def test_the_sender_gets_the_error_and_nothing_is_left(
    kind, to, refusal, suspends, is_nested
):
    outcome, error = REFUSALS[refusal]
    refuses = Refuses(outcome, suspends=suspends)
    runtime = SingleThreadedAgentRuntime(intervention_handlers=[Redirects(kind, to), refuses])

    async def ask(agent, message, ctx):
        return await agent.send_message(message, OLD)

    await register(runtime, "old")
    await register(runtime, "new")
    await register(runtime, "asking", ask)
    await runtime.add_subscription(TypeSubscription("news", "new"))
    runtime.start()
    recipient = AgentId("asking", "1") if is_nested else OLD
    with pytest.raises(error):
        await asyncio.wait_for(runtime.send_message("hello", recipient), 5)
    assert refuses.knows
    await asyncio.wait_for(runtime.stop_when_idle(), 5)
    counts = tally(runtime)
    assert sum(counts.values()) == 2 * counts["accepted"]
    await runtime.close()
