"""The observer: reports to listeners, and no work without one (B2)."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from typing import Any

import pytest

from ferrogen import (
    EVENT_LOGGER_NAME,
    AgentId,
    DefaultInterventionHandler,
    DropMessage,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    try_get_known_serializers_for_type,
)

from .function_agents import boom, echo, register, tally

Runtime = SingleThreadedAgentRuntime


@dataclass
class Note:
    text: str


async def started(act: Any = echo, **how: Any) -> Runtime:
    runtime = SingleThreadedAgentRuntime(**how)
    await register(runtime, "a", act)
    await runtime.add_subscription(TypeSubscription("news", "a"))
    runtime.add_message_serializer(try_get_known_serializers_for_type(Note))
    runtime.start()
    return runtime


@pytest.fixture
def events(caplog: pytest.LogCaptureFixture) -> Any:
    """A function that returns the events so far."""
    caplog.set_level(logging.INFO, logger=EVENT_LOGGER_NAME)

    def reports() -> list[dict[str, Any]]:
        records = [record for record in caplog.records if record.name == EVENT_LOGGER_NAME]
        return [json.loads(str(record.msg)) for record in records]

    return reports


async def test_a_sent_message_is_reported_at_each_stage(events: Any) -> None:
    runtime = await started()
    await runtime.send_message(Note("hello"), AgentId("a", "1"))
    await runtime.stop_when_idle()
    stages = [(event["kind"], event["delivery_stage"]) for event in events()]
    assert stages == [
        ("MessageKind.DIRECT", "DeliveryStage.SEND"),
        ("MessageKind.DIRECT", "DeliveryStage.DELIVER"),
        ("MessageKind.RESPOND", "DeliveryStage.SEND"),
        ("MessageKind.RESPOND", "DeliveryStage.DELIVER"),
    ]
    assert {json.loads(event["payload"])["text"] for event in events()} == {"hello"}


async def test_a_dropped_message_is_reported(events: Any) -> None:
    class Drop(DefaultInterventionHandler):
        async def on_publish(self, message: Any, **how: Any) -> Any:
            return DropMessage

    runtime = await started(intervention_handlers=[Drop()])
    await runtime.publish_message(Note("hello"), TopicId("news", "1"))
    await runtime.stop_when_idle()
    assert [event["type"] for event in events()] == ["Message", "MessageDropped"]


async def test_a_failing_handler_is_reported(events: Any, caplog: Any) -> None:
    runtime = await started(boom)
    await runtime.publish_message(Note("hello"), TopicId("news", "1"))
    await runtime.stop_when_idle()
    last = events()[-1]
    assert (last["type"], last["handling_agent"]) == ("MessageHandlerException", "a/1")
    assert "Error processing publish message for a/1" in caplog.text


async def test_a_message_that_cannot_be_shown_is_delivered_all_the_same(events: Any) -> None:
    runtime = await started()
    message = object()
    assert await runtime.send_message(message, AgentId("a", "1")) is message
    await runtime.stop_when_idle()
    assert {event["payload"] for event in events()} == {"Message could not be serialized"}


async def test_nothing_is_encoded_without_a_listener(monkeypatch: pytest.MonkeyPatch) -> None:
    """B2."""
    runtime = await started()
    monkeypatch.setattr(runtime._serialization, "serialize", _never)
    monkeypatch.setattr("ferrogen.runtime.observation.link_to", _never)
    await runtime.send_message(Note("hello"), AgentId("a", "1"))
    await runtime.publish_message(Note("hello"), TopicId("news", "1"))
    await runtime.stop_when_idle()
    assert tally(runtime)["accepted"] == 2


def _never(*arguments: Any, **how: Any) -> Any:
    pytest.fail("there is no listener")
