"""Intervention handlers: rewriting, dropping and raising at each of their three hooks."""

import asyncio
import sys
from dataclasses import dataclass

import pytest

from .harness import same, submodule, yield_to_loop


@dataclass
class Note:
    text: str


HOOKS = ("on_send", "on_publish", "on_response")


def intervention(core, act, hook):
    """Make a handler that acts at one hook and leaves the others alone."""

    class Intervening(core.DefaultInterventionHandler):
        pass

    async def intervene(self, message, **where):
        return act(message, where)

    setattr(Intervening, hook, intervene)
    return Intervening()


async def converse(core, record, *handlers, **settings):
    """Send and publish one note to one agent that responses it; leave the runtime running."""

    class Echo(core.RoutedAgent):
        @core.message_handler
        async def on_note(self, message: Note, ctx: core.MessageContext) -> Note:
            record("received", message.text, ctx.is_rpc)
            return Note(f"echo of {message.text}")

    runtime = core.SingleThreadedAgentRuntime(intervention_handlers=list(handlers), **settings)
    await Echo.register(runtime, "echo", lambda: Echo("echoes"))
    await runtime.add_subscription(core.TypeSubscription("t", "echo"))
    runtime.start()
    await record.outcome(
        "send",
        runtime.send_message(
            Note("sent"),
            core.AgentId("echo", "k"),
            sender=core.AgentId("echo", "me"),
            message_id="s",
        ),
        words=False,
    )
    await record.outcome(
        "publish",
        runtime.publish_message(Note("published"), core.TopicId("t", "k"), message_id="p"),
    )
    await yield_to_loop()
    return runtime


@pytest.mark.parametrize("hook", HOOKS)
def test_a_message_can_be_rewritten(hook):
    async def scenario(core, record):
        def act(message, where):
            record("seen", hook, message, sorted(where))
            return Note(message.text + "!")

        runtime = await converse(core, record, intervention(core, act, hook))
        await runtime.stop_when_idle()

    same(scenario)


@pytest.mark.parametrize("hook", HOOKS)
def test_handlers_get_the_recipient_of_a_message(hook):
    async def scenario(core, record):
        def act(message, where):
            context = where.pop("message_context", None)
            if context is not None:
                record(context.sender, context.topic_id, context.is_rpc, context.message_id)
                record(context.cancellation_token.is_cancelled())
            record(where)
            return message

        runtime = await converse(core, record, intervention(core, act, hook))
        await runtime.stop_when_idle()

    same(scenario)


@pytest.mark.parametrize("instance", [True, False], ids=["instance", "class"])
@pytest.mark.parametrize("hook", HOOKS)
def test_a_message_can_be_dropped(hook, instance):
    async def scenario(core, record):
        drop = core.DropMessage() if instance else core.DropMessage
        runtime = await converse(
            core, record, intervention(core, lambda message, where: drop, hook)
        )
        await runtime.stop()

    same(scenario)


@pytest.mark.parametrize("hook", HOOKS)
def test_an_error_in_a_handler_reaches_the_sender_but_no_publisher(hook):
    async def scenario(core, record):
        def act(message, where):
            raise ValueError(f"refused at {hook}")

        runtime = await converse(
            core, record, intervention(core, act, hook), ignore_unhandled_exceptions=False
        )
        record(await runtime.stop())

    same(scenario)


def test_handlers_are_called_in_order_until_one_drops():
    async def scenario(core, record):
        def noting(name, result):
            return intervention(
                core, lambda message, where: record(name) or result or message, "on_send"
            )

        runtime = await converse(
            core,
            record,
            noting("first", None),
            noting("second", core.DropMessage),
            noting("third", None),
        )
        await runtime.stop()

    same(scenario)


def test_all_hooks_of_one_handler_are_used():
    async def scenario(core, record):
        class Watching(core.DefaultInterventionHandler):
            async def on_send(self, message, *, message_context, recipient):
                record("send", message, recipient)
                return message

            async def on_publish(self, message, *, message_context):
                record("publish", message, message_context.topic_id)
                return message

            async def on_response(self, message, *, sender, recipient):
                record("response", message, sender, recipient)
                return message

        runtime = await converse(core, record, Watching())
        record(isinstance(Watching(), core.DefaultInterventionHandler))
        await runtime.stop_when_idle()

    same(scenario)


def test_a_dropped_send_is_the_exception_that_users_catch():
    async def scenario(core, record):
        class Echo(core.BaseAgent):
            async def on_message_impl(self, message, ctx):
                return message

        handler = intervention(core, lambda message, where: core.DropMessage, "on_send")
        runtime = core.SingleThreadedAgentRuntime(intervention_handlers=[handler])
        await Echo.register(runtime, "echo", lambda: Echo("echoes"))
        runtime.start()
        try:
            await runtime.send_message("x", core.AgentId("echo", "k"))
        except submodule(core, "exceptions").MessageDroppedException as error:
            record("caught", type(error).__name__)
        await runtime.stop()

    same(scenario)


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tasks do not count their cancellations")
@pytest.mark.parametrize("hook", HOOKS)
def test_a_handler_that_raises_cancelled_does_not_end_the_runtime(hook):
    async def scenario(core, record):
        cancelled = []

        def act(message, where):
            if not cancelled:
                cancelled.append(message)
                raise asyncio.CancelledError
            return message

        runtime = await converse(core, record, intervention(core, act, hook))
        record("again")
        await record.outcome("send", runtime.send_message(Note("x"), core.AgentId("echo", "k")))
        await runtime.stop()

    same(scenario)
