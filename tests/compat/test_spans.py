"""Spans: names, kinds, attributes, parents and links, as a tracer provider gets them."""

from dataclasses import dataclass

import pytest
from opentelemetry.sdk.trace import TracerProvider

from .harness import error_of, same, yield_to_loop
from .observers import RecordedSpans


@dataclass
class Note:
    text: str


async def trace(core, record, handle, work, *agent_types, handlers=None):
    """Run some work under a recording tracer, with agents that are there already."""

    class Agent(core.RoutedAgent):
        @core.message_handler
        async def on_note(self, message: Note, ctx: core.MessageContext) -> Note | None:
            return await handle(self, message)

    spans = RecordedSpans()
    runtime = core.SingleThreadedAgentRuntime(
        tracer_provider=spans.provider, intervention_handlers=handlers
    )
    for agent_type in agent_types or ("agent",):
        await Agent.register(runtime, agent_type, lambda: Agent("works"))
        await runtime.get(agent_type, "k", lazy=False)
    runtime.start()
    await work(runtime)
    await runtime.stop_when_idle()
    for span in spans.seen():
        record(span)


async def response(agent, message):
    return Note(f"response to {message.text}")


def test_a_send_has_spans_for_create_send_process_and_response():
    async def scenario(core, record):
        async def work(runtime):
            await runtime.send_message(Note("x"), core.AgentId("agent", "k"), message_id="m")

        await trace(core, record, response, work)

    assert len(same(scenario).entries) == 4


@pytest.mark.parametrize("how", ["started later", "processed manually"])
def test_messages_published_before_the_start_have_spans(how):
    async def scenario(core, record):
        class Agent(core.RoutedAgent):
            @core.message_handler
            async def on_note(self, message: Note, ctx: core.MessageContext) -> None: ...

        spans = RecordedSpans()
        runtime = core.SingleThreadedAgentRuntime(tracer_provider=spans.provider)
        await Agent.register(runtime, "agent", lambda: Agent("works"))
        await runtime.add_subscription(core.TypeSubscription("t", "agent"))
        await runtime.get("agent", "k", lazy=False)
        await runtime.publish_message(Note("x"), core.TopicId("t", "k"), message_id="m")
        if how == "started later":
            runtime.start()
            await runtime.stop_when_idle()
        else:
            await runtime.process_next()
            await yield_to_loop()
        for span in spans.seen():
            record(span)

    assert len(same(scenario).entries) == 3


def test_a_publish_has_a_span_for_each_handler():
    async def scenario(core, record):
        async def work(runtime):
            for agent_type in ("a", "b"):
                await runtime.add_subscription(core.TypeSubscription("t", agent_type))
            await runtime.publish_message(Note("x"), core.TopicId("t", "k"), message_id="m")

        async def handle(agent, message): ...

        await trace(core, record, handle, work, "a", "b")

    assert len(same(scenario).entries) == 4


def test_handlers_hang_under_the_publish_even_if_their_agents_had_to_be_built():
    async def scenario(core, record):
        async def work(runtime):
            await runtime.publish_message(Note("x"), core.TopicId("agent:", "new"), message_id="m")
            await runtime.publish_message(Note("y"), core.TopicId("agent:", "new"), message_id="n")

        await trace(core, record, response, work)

    same(scenario)


def test_a_publish_without_a_subscriber_has_spans_too():
    async def scenario(core, record):
        async def work(runtime):
            await runtime.publish_message(Note("x"), core.TopicId("t", "k"), message_id="m")

        await trace(core, record, response, work)

    same(scenario)


def test_spans_of_what_a_handler_sends_hang_under_its_own():
    async def scenario(core, record):
        async def handle(agent, message):
            if agent.id.type == "b":
                return None
            await agent.send_message(Note("inner"), core.AgentId("b", "k"), message_id="inner")
            return Note("outer")

        async def work(runtime):
            await runtime.send_message(Note("x"), core.AgentId("a", "k"), message_id="m")

        await trace(core, record, handle, work, "a", "b")

    same(scenario)


def test_ids_of_any_text_are_written_as_json():
    odd = 'k "\\é\n'

    async def scenario(core, record):
        async def handle(agent, message):
            if message.text == "x":
                await agent.send_message(Note("y"), core.AgentId("agent", odd), message_id=odd)

        async def work(runtime):
            await runtime.get("b", odd, lazy=False)
            await runtime.get("agent", odd, lazy=False)
            sender, topic = core.AgentId("b", odd), core.TopicId("agent:", odd)
            await runtime.send_message(Note("x"), sender, message_id=odd)
            await runtime.publish_message(Note("z"), topic, sender=sender, message_id=odd)

        await trace(core, record, handle, work, "agent", "b")

    entries = same(scenario).entries
    assert sum("message_context" in span["attributes"] for span in entries) == 3


def test_an_error_marks_the_spans_it_passes():
    async def scenario(core, record):
        async def handle(agent, message):
            raise ValueError("cannot")

        async def work(runtime):
            await record.outcome(
                "send",
                runtime.send_message(Note("x"), core.AgentId("agent", "k"), message_id="m"),
            )
            await runtime.publish_message(Note("x"), core.TopicId("agent:", "k"), message_id="p")

        await trace(core, record, handle, work)

    same(scenario)


def test_an_unknown_recipient_marks_the_span_of_creation():
    async def scenario(core, record):
        async def work(runtime):
            await error_of(runtime.send_message(Note("x"), core.AgentId("unknown", "k")))

        await trace(core, record, response, work)
        # The class of the error and its words differ: see docs/differences.md.
        record.entries = [
            (span["name"], span["status"][0], len(span["events"])) for span in record.entries
        ]

    same(scenario)


def test_interventions_have_spans():
    async def scenario(core, record):
        class Looking(core.DefaultInterventionHandler):
            pass

        async def work(runtime):
            await runtime.send_message(Note("x"), core.AgentId("agent", "k"), message_id="m")
            await runtime.publish_message(Note("x"), core.TopicId("agent:", "k"), message_id="p")

        await trace(core, record, response, work, handlers=[Looking()])

    same(scenario)


def test_spans_join_the_trace_of_the_user():
    async def scenario(core, record):
        async def work(runtime):
            user = TracerProvider().get_tracer("user")
            with user.start_as_current_span("the user's"):
                await runtime.send_message(Note("x"), core.AgentId("agent", "k"), message_id="m")

        await trace(core, record, response, work)
        record([span["parent"] for span in record.entries])

    same(scenario)


def test_spans_can_be_turned_off(monkeypatch):
    monkeypatch.setenv("AUTOGEN_DISABLE_RUNTIME_TRACING", "true")

    async def scenario(core, record):
        async def work(runtime):
            record(await runtime.send_message(Note("x"), core.AgentId("agent", "k")))

        await trace(core, record, response, work)

    assert len(same(scenario).entries) == 1
