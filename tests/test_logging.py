"""The structured events: the same facts as upstream's, as JSON when asked."""

import copy
import gc
import inspect
import json
import pickle
import weakref
from types import ModuleType
from typing import Any

import pytest

from ferrogen import logging as events
from ferrogen._core import AgentId
from ferrogen.logging import (
    DeliveryStage,
    LLMCallEvent,
    MessageEvent,
    MessageKind,
    ToolCallEvent,
)
from ferrogen.messaging.handler_context import MessageHandlerContext
from ferrogen.messaging.topic import TopicId
from ferrogen.telemetry.lazy_facts import lazy_text

MESSAGES = [{"role": "user", "content": "hi"}]
FACTS: dict[str, dict[str, Any]] = {
    "LLMCallEvent": {
        "messages": MESSAGES,
        "response": {"content": "é"},
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "extra": 3,
    },
    "LLMStreamStartEvent": {"messages": MESSAGES, "extra": 3},
    "LLMStreamEndEvent": {
        "response": {"content": "é"},
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "extra": 3,
    },
    "ToolCallEvent": {"tool_name": "add", "arguments": {"a": 1}, "result": "1"},
    "MessageEvent": {
        "payload": "p",
        "sender": ("agent", "a", "k"),
        "receiver": ("topic", "t", "s"),
        "kind": "PUBLISH",
        "delivery_stage": "DELIVER",
        "extra": 3,
    },
    "MessageDroppedEvent": {
        "payload": "p",
        "sender": None,
        "receiver": ("agent", "a", "k"),
        "kind": "RESPOND",
        "extra": 3,
    },
    "MessageHandlerExceptionEvent": {
        "payload": "p",
        "handling_agent": ("agent", "a", "k"),
        "exception": ValueError("boom"),
        "extra": 3,
    },
    "AgentConstructionExceptionEvent": {
        "agent_id": ("agent", "a", "k"),
        "exception": ValueError("boom"),
        "extra": 3,
    },
}


def build(module: ModuleType, agent_id: type, topic_id: type, name: str) -> Any:
    """Build an event of either package from the same facts."""

    def native(key: str, value: Any) -> Any:
        if isinstance(value, tuple):
            return {"agent": agent_id, "topic": topic_id}[value[0]](*value[1:])
        if key == "kind":
            return module.MessageKind[value]
        return module.DeliveryStage[value] if key == "delivery_stage" else value

    return getattr(module, name)(**{key: native(key, value) for key, value in FACTS[name].items()})


def test_every_event_class_is_compared() -> None:
    classes = inspect.getmembers(events, inspect.isclass)
    own = {name for name, cls in classes if cls.__module__ == events.__name__}
    assert {name for name in own if name.endswith("Event")} == set(FACTS)


@pytest.mark.parametrize("name", FACTS)
def test_facts_and_text_are_those_of_upstream(name: str) -> None:
    core = pytest.importorskip("autogen_core")
    upstream = pytest.importorskip("autogen_core.logging")
    theirs = build(upstream, core.AgentId, core.TopicId, name)
    ours = build(events, AgentId, TopicId, name)
    assert str(ours) == str(theirs)
    assert ours.kwargs == theirs.kwargs
    assert str(ours) == str(theirs)


def message_event(payload: Any, **more: Any) -> MessageEvent:
    return MessageEvent(
        payload=payload,
        sender=None,
        receiver=AgentId("a", "k"),
        kind=MessageKind.DIRECT,
        delivery_stage=DeliveryStage.SEND,
        **more,
    )


@pytest.mark.parametrize("more", [{}, {"extra": 3}], ids=["plain", "with more facts"])
def test_a_payload_is_requested_once_and_only_when_it_is_needed(more: dict[str, Any]) -> None:
    asked = []

    def show(message: str) -> str:
        asked.append(1)
        return message

    event = message_event(lazy_text(show, '"é\\'), **more)
    assert asked == []
    text = str(event)
    assert event.kwargs["payload"] == '"é\\'
    assert json.loads(str(event)) == json.loads(text) == event.kwargs
    assert asked == [1]


def test_one_fact_is_given_without_the_payload() -> None:
    event = message_event(lazy_text(pytest.fail, "it was not requested"), extra=3)
    facts = {name: event.fact(name) for name in ("kind", "sender", "receiver", "type", "extra")}
    assert facts == {
        "kind": "MessageKind.DIRECT",
        "sender": None,
        "receiver": "a/k",
        "type": "Message",
        "extra": 3,
    }
    with pytest.raises(KeyError):
        event.fact("colour")
    asked = message_event(lazy_text(str, "p"))
    assert asked.fact("payload") == asked.kwargs["payload"] == "p"
    assert asked.fact("kind") == asked.kwargs["kind"]


def test_an_event_that_was_shown_holds_its_message_no_longer() -> None:
    class Message:
        def __str__(self) -> str:
            return "shown"

    message = Message()
    gone = weakref.ref(message)
    event = message_event(lazy_text(str, message))
    assert "shown" in str(event)
    del message
    gc.collect()
    assert gone() is None


@pytest.mark.parametrize("payload", [{"a": 1}, None, "p", 5], ids=repr)
def test_a_payload_that_is_no_text_is_shown_as_upstream_shows_it(payload: Any) -> None:
    upstream = pytest.importorskip("autogen_core.logging")
    core = pytest.importorskip("autogen_core")
    theirs = upstream.MessageEvent(
        payload=payload,
        sender=None,
        receiver=core.AgentId("a", "k"),
        kind=upstream.MessageKind.DIRECT,
        delivery_stage=upstream.DeliveryStage.SEND,
    )
    assert str(message_event(payload)) == str(theirs)


@pytest.mark.parametrize("kind", list(MessageKind))
@pytest.mark.parametrize("stage", list(DeliveryStage))
def test_an_event_that_is_made_quickly_is_like_any_other(
    kind: MessageKind, stage: DeliveryStage
) -> None:
    given = {"sender": AgentId("a", "é"), "receiver": None}
    quick = MessageEvent.of("{}", given["sender"], None, kind, stage)
    made = MessageEvent(payload="{}", kind=kind, delivery_stage=stage, **given)
    # Text in place of an enum, as in facts that were read from another event.
    text = MessageEvent(payload="{}", kind=str(kind), delivery_stage=str(stage), **given)  # type: ignore[arg-type]
    assert str(quick) == str(made) == str(text)
    assert json.loads(str(quick)) == quick.kwargs == made.kwargs == text.kwargs


def test_facts_are_a_dict_that_may_be_changed() -> None:
    event = message_event("p")
    event.kwargs["payload"] = {"hidden": True}
    assert json.loads(str(event))["payload"] == {"hidden": True}
    event.kwargs = {"type": "Other"}
    assert str(event) == '{"type": "Other"}'


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
def test_copies_hold_the_facts(copied: Any) -> None:
    event = message_event(lazy_text(str, "p"), extra=3)
    assert copied(event).kwargs == event.kwargs


def test_an_exception_that_cannot_be_shown_is_no_matter_until_it_is_shown() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise LookupError("no words")

    event = events.MessageHandlerExceptionEvent(
        payload="p", handling_agent=AgentId("a", "k"), exception=Mute()
    )
    with pytest.raises(LookupError):
        str(event)


def test_the_agent_whose_handler_runs_is_named() -> None:
    with MessageHandlerContext.populate_context(AgentId("solver", "one")):
        event = ToolCallEvent(tool_name="add", arguments={}, result="")
    assert event.kwargs["agent_id"] == "solver/one"


def test_token_counts_are_readable() -> None:
    event = LLMCallEvent(messages=[], response={}, prompt_tokens=3, completion_tokens=4)
    assert (event.prompt_tokens, event.completion_tokens) == (3, 4)


def test_text_is_rendered_only_on_request() -> None:
    class Watched:
        rendered = 0

        def __str__(self) -> str:
            self.rendered += 1
            return "watched"

    watched = Watched()
    event = events.LLMStreamStartEvent(messages=[{"content": watched}])
    assert watched.rendered == 0
    assert json.loads(str(event))["messages"] == [{"content": "watched"}]


def test_what_json_cannot_hold_becomes_text() -> None:
    loop = []
    loop.append(loop)
    for odd in ({"a": {1, 2}}, {(1, 2): "tuple key"}, {"loop": loop}):
        event = ToolCallEvent(tool_name="odd", arguments=odd, result="")
        assert json.loads(str(event))["tool_name"] == "odd"


def test_enums_have_upstreams_names_and_values() -> None:
    upstream = pytest.importorskip("autogen_core.logging")
    for ours, theirs in (
        (MessageKind, upstream.MessageKind),
        (DeliveryStage, upstream.DeliveryStage),
    ):
        assert {m.name: m.value for m in ours} == {m.name: m.value for m in theirs}
