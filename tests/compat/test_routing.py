"""Routed agents: which handler gets a message, and what handlers may return."""

from dataclasses import dataclass
from typing import Any

from .harness import same


@dataclass
class Note:
    text: str


@dataclass
class Longer(Note):
    more: str = ""


@dataclass
class Other:
    text: str


async def send_and_publish_all(core, record, cls, *messages):
    """Send each message to an agent of the class, then publish it, and note what comes of it."""
    runtime = core.SingleThreadedAgentRuntime()
    await cls.register(runtime, "agent", lambda: cls("routes"))
    await runtime.add_subscription(core.TypeSubscription("t", "agent"))
    runtime.start()
    for message in messages:
        await record.outcome("sent", runtime.send_message(message, core.AgentId("agent", "s")))
        await runtime.publish_message(message, core.TopicId("t", "s"))
    await runtime.stop_when_idle()


def test_the_first_handler_by_name_that_matches_gets_the_message():
    async def scenario(core, record):
        class Agent(core.RoutedAgent):
            @core.message_handler(match=lambda message, ctx: message.text == "z")
            async def a_picky(self, message: Note, ctx: core.MessageContext) -> str:
                record("picky", ctx.is_rpc)
                return "picky"

            @core.message_handler
            async def b_open(self, message: Note, ctx: core.MessageContext) -> str:
                record("open", ctx.is_rpc)
                return "open"

            @core.message_handler
            async def c_never(self, message: Note, ctx: core.MessageContext) -> str:
                record("never", ctx.is_rpc)
                return "never"

        await send_and_publish_all(core, record, Agent, Note("z"), Note("y"))

    same(scenario)


def test_events_and_rpcs_are_distinguished():
    async def scenario(core, record):
        class Agent(core.RoutedAgent):
            @core.rpc
            async def on_request(self, message: Note, ctx: core.MessageContext) -> str:
                record("asked", ctx.is_rpc)
                return "response"

            @core.event
            async def on_event(self, message: Note, ctx: core.MessageContext) -> None:
                record("published", ctx.is_rpc)

            @core.rpc(match=lambda message, ctx: message.text == "yes")
            async def accept_yes(self, message: Other, ctx: core.MessageContext) -> str:
                return "yes"

            @core.event(match=lambda message, ctx: message.text == "yes")
            async def accept_yes_event(self, message: Other, ctx: core.MessageContext) -> None:
                record("yes published")

        await send_and_publish_all(core, record, Agent, Note("x"), Other("yes"), Other("no"))

    same(scenario)


def test_unions_take_each_of_their_types_and_no_subclass():
    async def scenario(core, record):
        class Agent(core.RoutedAgent):
            @core.message_handler
            async def either(self, message: Note | Other, ctx: core.MessageContext) -> str:
                return type(message).__name__

            async def on_unhandled_message(self, message: Any, ctx: core.MessageContext) -> None:
                record("unhandled", type(message).__name__, ctx.is_rpc)

        await send_and_publish_all(core, record, Agent, Note("x"), Other("x"), Longer("x"))

    same(scenario)


def test_a_message_without_a_handler_gets_none_as_its_response():
    async def scenario(core, record):
        class Agent(core.RoutedAgent):
            @core.message_handler
            async def on_note(self, message: Note, ctx: core.MessageContext) -> str:
                return "note"

        await send_and_publish_all(core, record, Agent, Other("x"), "text", None)

    same(scenario)


def test_handlers_are_inherited_and_overridden():
    async def scenario(core, record):
        class Base(core.RoutedAgent):
            @core.message_handler
            async def on_note(self, message: Note, ctx: core.MessageContext) -> str:
                return f"base {self.word()}"

            @core.message_handler
            async def on_other(self, message: Other, ctx: core.MessageContext) -> str:
                return "base"

            def word(self):
                return "base"

        class Derived(Base):
            @core.message_handler
            async def on_other(self, message: Other, ctx: core.MessageContext) -> str:
                return "derived"

            def word(self):
                return "derived"

        await send_and_publish_all(core, record, Base, Note("x"), Other("x"))
        await send_and_publish_all(core, record, Derived, Note("x"), Other("x"))

    same(scenario)


def test_responses_of_an_undeclared_type_are_errors_unless_not_strict():
    async def scenario(core, record):
        class Agent(core.RoutedAgent):
            @core.message_handler
            async def strict(self, message: Note, ctx: core.MessageContext) -> str:
                return 1 if message.text == "wrong" else "right"

            @core.message_handler(strict=False)
            async def lenient(self, message: Other, ctx: core.MessageContext) -> str:
                return 1

            @core.message_handler
            async def anything(self, message: Longer, ctx: core.MessageContext) -> Any:
                return 1

        await send_and_publish_all(
            core, record, Agent, Note("wrong"), Note("right"), Other("x"), Longer("x")
        )

    same(scenario)


def test_responses_may_be_one_of_several_types_or_none():
    async def scenario(core, record):
        class Agent(core.RoutedAgent):
            @core.message_handler
            async def on_note(self, message: Note, ctx: core.MessageContext) -> str | None:
                return None if message.text == "none" else "some"

            @core.event
            async def on_other(self, message: Other, ctx: core.MessageContext) -> None:
                return "ignored?"

        await send_and_publish_all(core, record, Agent, Note("none"), Note("x"), Other("x"))

    same(scenario)


def test_declared_types_can_be_read_off_the_handler():
    async def scenario(core, record):
        class Agent(core.RoutedAgent):
            @core.message_handler
            async def either(self, message: Note | Other, ctx: core.MessageContext) -> str | None:
                return None

        handler = Agent.either
        record(handler.is_message_handler, handler.__name__)
        record([cls.__name__ for cls in handler.target_types])
        record([cls.__name__ for cls in handler.produces_types])
        record(sorted(cls.__name__ for cls, _ in Agent._handles_types()))

    same(scenario)


def test_a_message_type_without_serializer_needs_one_declared():
    class Opaque:
        pass

    async def scenario(core, record):
        class Agent(core.RoutedAgent):
            @core.message_handler
            async def on_opaque(self, message: Opaque, ctx: core.MessageContext) -> None: ...

        runtime = core.SingleThreadedAgentRuntime()
        await record.outcome("register", Agent.register(runtime, "agent", lambda: Agent("x")))

    same(scenario)
