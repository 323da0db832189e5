"""Observers: events and spans are made only if they are read, and are accurate."""

import json
import logging
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from opentelemetry import trace
from opentelemetry.trace import NoOpTracer
from tests.compat.harness import both
from tests.compat.observers import RecordedSpans, logged_events


@dataclass
class Note:
    text: str


class Counting:
    """A serializer that counts how often it is asked to write."""

    data_content_type = "application/json"
    type_name = "Note"
    written = 0

    def serialize(self, message):
        self.written += 1
        return b"{}"

    def deserialize(self, payload):
        raise NotImplementedError


async def note_taker(core, handle, **settings):
    class Agent(core.BaseAgent):
        async def on_message_impl(self, message, ctx):
            return await handle(self, message)

    runtime = core.SingleThreadedAgentRuntime(**settings)
    for agent_type in ("a", "b"):
        await Agent.register(runtime, agent_type, lambda: Agent("takes notes"))
        await runtime.add_subscription(core.TypeSubscription("t", agent_type))
    return runtime


async def echo(agent, message):
    return message


def test_nothing_is_serialized_without_a_listener():
    async def scenario(core, record):
        runtime, serializer = await note_taker(core, echo), Counting()
        runtime.add_message_serializer(serializer)
        runtime.start()
        await runtime.send_message(Note("x"), core.AgentId("a", "k"))
        record("send", serializer.written)
        await runtime.publish_message(Note("x"), core.TopicId("t", "k"))
        await runtime.stop_when_idle()
        record("publish", serializer.written)

    upstream, ours = both(scenario)
    assert upstream[0] == ["send", 6]
    assert upstream[1][1] > upstream[0][1]
    assert ours == [["send", 0], ["publish", 0]]


class Keeping(logging.Handler):
    """A log handler that keeps the records without looking at them."""

    def __init__(self):
        super().__init__()
        self.kept = []

    def emit(self, entry):
        self.kept.append(entry)


@contextmanager
def kept_records(core):
    logger, handler = logging.getLogger(core.EVENT_LOGGER_NAME), Keeping()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield handler.kept
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_an_event_is_serialized_when_a_handler_looks_at_it():
    async def scenario(core, record):
        runtime, serializer = await note_taker(core, echo), Counting()
        runtime.add_message_serializer(serializer)
        runtime.start()
        with kept_records(core) as kept:
            await runtime.send_message(Note("x"), core.AgentId("a", "k"))
            await runtime.stop_when_idle()
        record("logged", len(kept), serializer.written)
        payloads = [entry.msg.kwargs["payload"] for entry in kept]
        lines = [entry.getMessage() for entry in kept]
        assert all(json.loads(line)["payload"] == payloads[0] for line in lines)
        record("read", payloads, serializer.written)

    upstream, ours = both(scenario)
    assert upstream == [["logged", 4, 6], ["read", ["{}"] * 4, 6]]
    assert ours == [["logged", 4, 0], ["read", ["{}"] * 4, 4]]


def test_a_message_that_changes_is_shown_as_it_is_when_a_kept_record_is_first_read():
    async def scenario(core, record):
        runtime, message = await note_taker(core, echo), Note("as sent")
        runtime.add_message_serializer(core.try_get_known_serializers_for_type(Note))
        runtime.start()
        with kept_records(core) as kept, logged_events() as events:
            await runtime.send_message(message, core.AgentId("a", "k"))
        kept_only = Note("as sent")
        with kept_records(core) as unread:
            await runtime.send_message(kept_only, core.AgentId("a", "k"))
        message.text = kept_only.text = "changed"
        await runtime.stop_when_idle()
        record("formatted when logged", {event["payload"]["text"] for event in events})
        for name, entries in (("formatted when logged, too", kept), ("first read later", unread)):
            record(name, {json.loads(entry.msg.kwargs["payload"])["text"] for entry in entries})

    upstream, ours = both(scenario)
    formatted = [
        ["formatted when logged", {"as sent"}],
        ["formatted when logged, too", {"as sent"}],
    ]
    assert upstream == [*formatted, ["first read later", {"as sent"}]]
    assert ours == [*formatted, ["first read later", {"changed"}]]


def test_the_record_of_an_event_names_the_place_where_all_events_are_logged():
    async def scenario(core, record):
        runtime = await note_taker(core, echo)
        runtime.start()
        with kept_records(core) as kept:
            await runtime.send_message(Note("x"), core.AgentId("a", "k"))
            await runtime.stop_when_idle()
        record(sorted({entry.funcName for entry in kept}))

    upstream, ours = both(scenario)
    assert upstream == [["_process_response", "_process_send", "send_message"]]
    assert ours == [["log_event"]]


def test_no_message_is_formatted_without_a_listener():
    class Shown:
        times = 0

        def __repr__(self):
            Shown.times += 1
            return "shown"

    async def scenario(core, record):
        Shown.times = 0
        runtime = await note_taker(core, echo)
        runtime.start()
        message = Shown()
        await runtime.send_message({"holds": message}, core.AgentId("a", "k"))
        record("shown", Shown.times > 0)
        await runtime.stop_when_idle()

    assert both(scenario) == ([["shown", True]], [["shown", False]])


def test_no_span_is_opened_when_no_tracer_records(monkeypatch):
    opened = []
    start = NoOpTracer.start_as_current_span
    monkeypatch.setattr(
        NoOpTracer,
        "start_as_current_span",
        lambda self, name, *rest, **more: opened.append(name) or start(self, name, *rest, **more),
    )

    async def scenario(core, record):
        opened.clear()
        runtime = await note_taker(core, echo)
        runtime.start()
        await runtime.send_message(Note("x"), core.AgentId("a", "k"))
        await runtime.stop_when_idle()
        record("opened", len(opened))

    upstream, ours = both(scenario)
    assert upstream == [["opened", 4]]
    assert ours == [["opened", 0]]


def test_a_delivery_is_logged_when_its_handler_starts():
    async def scenario(core, record):
        with logged_events() as events:

            async def handle(agent, message):
                so_far = [event.get("delivery_stage", "") for event in events]
                record(agent.id.type, so_far.count("DeliveryStage.DELIVER"))

            runtime = await note_taker(core, handle)
            for agent_type in ("a", "b"):
                await runtime.get(agent_type, "k", lazy=False)
            runtime.start()
            await runtime.publish_message(Note("x"), core.TopicId("t", "k"))
            await runtime.stop_when_idle()

    assert both(scenario) == ([["a", 2], ["b", 2]], [["a", 1], ["b", 2]])


def test_a_message_to_an_agent_that_cannot_be_built_is_logged_as_that_alone():
    async def scenario(core, record):
        def build():
            raise ValueError("no wood")

        runtime = core.SingleThreadedAgentRuntime()
        await runtime.register_factory("agent", build)
        runtime.start()
        with logged_events() as events:
            await record.outcome("send", runtime.send_message("x", core.AgentId("agent", "k")))
            await runtime.stop_when_idle()
        record.entries = [
            event.get("delivery_stage", event["type"]).rpartition(".")[2] for event in events
        ]

    upstream, ours = both(scenario)
    assert upstream == [
        "SEND",
        "DELIVER",
        "AgentConstructionException",
        "MessageHandlerException",
    ]
    assert ours == ["SEND", "AgentConstructionException"]


@pytest.mark.parametrize("response", [0, "", None], ids=["zero", "empty", "none"])
def test_a_message_is_shown_in_spans_even_if_it_is_false(response):
    class Json:
        data_content_type = "application/json"
        type_name = type(response).__name__

        def serialize(self, message):
            return b"as json"

        def deserialize(self, payload):
            raise NotImplementedError

    async def scenario(core, record):
        async def handle(agent, message):
            return response

        spans = RecordedSpans()
        runtime = await note_taker(core, handle, tracer_provider=spans.provider)
        runtime.add_message_serializer(Json())
        runtime.start()
        await runtime.send_message(Note("x"), core.AgentId("a", "k"), sender=core.AgentId("b", "k"))
        await runtime.stop_when_idle()
        record(*(s["attributes"]["message"] for s in spans.seen() if " ack " in s["name"]))

    upstream, ours = both(scenario)
    assert upstream == ["No Message"]
    assert ours == ["No Message" if response is None else "as json"]


@pytest.mark.parametrize("method", ["serialize", "handle"])
def test_a_message_that_cannot_be_shown_is_delivered_all_the_same(method):
    class Broken(Counting):
        def serialize(self, message):
            raise KeyError("cannot write")

    async def scenario(core, record):
        async def handle(agent, message):
            if method == "handle":
                raise ValueError("as asked")
            return message

        runtime = await note_taker(core, handle)
        runtime.add_message_serializer(Broken())
        runtime.start()
        with logged_events() as events:
            await record.outcome("send", runtime.send_message(Note("x"), core.AgentId("a", "k")))
            await runtime.stop_when_idle()
        record({event["payload"] for event in events})

    response = (
        ["send", Note("x")] if method == "serialize" else ("send", "raised ValueError: as asked")
    )
    upstream, ours = both(scenario)
    assert upstream == [("send", "raised KeyError: 'cannot write'"), set()]
    assert ours == [response, {"Message could not be serialized"}]


def test_a_log_handler_that_raises_does_not_fail_the_message(monkeypatch):
    class Broken(logging.Handler):
        def emit(self, entry):
            raise OSError("disk is full")

    # Ours prints the error, as `logging` prints those of its own handlers, unless that is disabled.
    monkeypatch.setattr(logging, "raiseExceptions", False)

    async def scenario(core, record):
        runtime = await note_taker(core, echo)
        runtime.start()
        logger, broken = logging.getLogger(core.EVENT_LOGGER_NAME), Broken()
        level = logger.level
        logger.addHandler(broken)
        logger.setLevel(logging.INFO)
        try:
            send = runtime.send_message(Note("x"), core.AgentId("a", "k"))
            await record.outcome("send", send)
        finally:
            logger.removeHandler(broken)
            logger.setLevel(level)
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [("send", "raised OSError: disk is full")]
    assert ours == [["send", Note("x")]]


def test_whether_a_tracer_records_is_checked_at_the_start(monkeypatch):
    monkeypatch.delenv("FERROGEN_PLAIN_TASKS", raising=False)

    async def scenario(core, record):
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", None)
        runtime, spans = await note_taker(core, echo), RecordedSpans()
        await runtime.get("a", "k", lazy=False)
        runtime.start()
        monkeypatch.setattr(trace, "_TRACER_PROVIDER", spans.provider)  # as for a program
        agent = core.AgentId("a", "k")
        await runtime.send_message(Note("x"), agent)
        record("running", len(spans.seen()) > 0)
        await runtime.stop()
        runtime.start()
        await runtime.send_message(Note("x"), agent)
        record("started again", len(spans.seen()) > 0)
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [["running", True], ["started again", True]]
    assert ours == [["running", False], ["started again", True]]
