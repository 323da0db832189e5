"""Intervention handlers: chaining, and dropped messages."""

import pytest
from tests.compat.harness import both, finishes, yield_to_loop


async def start_echo(core, record, *handlers):
    """Start a runtime with intervention handlers and an agent that echoes; return both."""

    class Echo(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            record("received", message)
            return message

    runtime = core.SingleThreadedAgentRuntime(intervention_handlers=list(handlers))
    await Echo.register(runtime, "echo", lambda: Echo("echoes"))
    runtime.start()
    return runtime, core.AgentId("echo", "k")


def appending(core, word):
    class Appending(core.DefaultInterventionHandler):
        async def on_send(self, message, *, message_context, recipient):
            return f"{message}+{word}"

        async def on_response(self, message, *, sender, recipient):
            return f"{message}-{word}"

        async def on_publish(self, message, *, message_context):
            return f"{message}+{word}"

    return Appending()


def test_intervention_handlers_are_chained():
    async def scenario(core, record):
        runtime, agent = await start_echo(core, record, appending(core, 1), appending(core, 2))
        record("response", await runtime.send_message("x", agent))
        await runtime.publish_message("y", core.TopicId("echo:", "k"))
        await yield_to_loop()
        await runtime.stop()

    upstream, ours = both(scenario)
    assert upstream == [["received", "x+2"], ["response", "x+2-2"], ["received", "y+2"]]
    assert ours == [["received", "x+1+2"], ["response", "x+1+2-1-2"], ["received", "y+1+2"]]


@pytest.mark.parametrize("how", ["drop", "raise"])
@pytest.mark.parametrize("hook", ["on_send", "on_publish", "on_response"])
def test_a_dropped_or_failed_message_leaves_the_runtime_idle(hook, how):
    async def scenario(core, record):
        class Ending(core.DefaultInterventionHandler):
            pass

        async def end(self, message, **where):
            if how == "raise":
                raise ValueError("no")
            return core.DropMessage

        setattr(Ending, hook, end)
        runtime, agent = await start_echo(core, record, Ending())
        if hook == "on_publish":
            await runtime.publish_message("x", core.TopicId("echo:", "k"))
        else:
            await record.outcome("send", runtime.send_message("x", agent), words=False)
        record("idle", await finishes(runtime.stop_when_idle()))

    upstream, ours = both(scenario)
    assert upstream[-1] == ["idle", False]
    assert ours[-1] == ["idle", True]
    assert ours[:-1] == upstream[:-1]


def test_an_intervention_handler_that_returns_none_does_not_change_the_message():
    async def scenario(core, record):
        class Recording(core.DefaultInterventionHandler):
            async def on_send(self, message, *, message_context, recipient):
                record("seen", message)

        runtime, agent = await start_echo(core, record, Recording())
        record("response", await runtime.send_message("x", agent))
        await runtime.stop()

    upstream, ours = both(scenario)
    assert upstream == [["seen", "x"], ["received", None], ["response", None]]
    assert ours == [["seen", "x"], ["received", "x"], ["response", "x"]]


@pytest.mark.parametrize("hook", ["on_send", "on_response"])
def test_the_error_of_a_dropped_message_has_a_text(hook):
    async def scenario(core, record):
        class Dropping(core.DefaultInterventionHandler):
            pass

        async def drop(self, message, **where):
            return core.DropMessage

        setattr(Dropping, hook, drop)
        runtime, agent = await start_echo(core, record, Dropping())
        await record.outcome("send", runtime.send_message("x", agent))
        await runtime.stop()

    upstream, ours = both(scenario)
    what = "response" if hook == "on_response" else "message"
    assert upstream[-1] == ("send", "raised MessageDroppedException: ")
    assert ours[-1] == (
        "send",
        f"raised MessageDroppedException: an intervention handler dropped the {what}",
    )
