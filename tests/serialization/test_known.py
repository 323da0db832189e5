"""Which classes are messages: handlers get them, the log shows them, or they are refused."""

import json
import logging
from dataclasses import dataclass
from typing import Any, TypedDict

import attrs
import msgspec
import pytest
import typing_extensions
from pydantic import BaseModel

from ferrogen import (
    EVENT_LOGGER_NAME,
    AgentId,
    BaseAgent,
    ClosureAgent,
    ClosureContext,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
    try_get_known_serializers_for_type,
)
from ferrogen.agents.base import handles
from ferrogen.exceptions import SerializationError


@dataclass
class DataNote:
    text: str


class ModelNote(BaseModel):
    text: str


class StructNote(msgspec.Struct):
    text: str


@attrs.define
class AttrsNote:
    text: str


class DictNote(TypedDict):
    text: str


class Notary(RoutedAgent):
    @message_handler
    async def on_data(self, message: DataNote, ctx: MessageContext) -> str:
        return f"data {message.text}"

    @message_handler
    async def on_model(self, message: ModelNote, ctx: MessageContext) -> str:
        return f"model {message.text}"

    @message_handler
    async def on_struct(self, message: StructNote, ctx: MessageContext) -> str:
        return f"struct {message.text}"

    @message_handler
    async def on_attrs(self, message: AttrsNote, ctx: MessageContext) -> str:
        return f"attrs {message.text}"


async def test_handlers_are_chosen_by_every_kind_and_the_log_shows_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger=EVENT_LOGGER_NAME)
    runtime = SingleThreadedAgentRuntime()
    await Notary.register(runtime, "notary", lambda: Notary("notes"))
    runtime.start()
    agent = AgentId("notary", "k")
    notes = [DataNote("x"), ModelNote(text="x"), StructNote("x"), AttrsNote("x")]
    responses = [await runtime.send_message(note, agent) for note in notes]
    await runtime.stop_when_idle()
    assert responses == ["data x", "model x", "struct x", "attrs x"]
    facts = [json.loads(record.getMessage()) for record in caplog.records]
    assert [
        json.loads(event["payload"])
        for event in facts
        if event["kind"] == "MessageKind.DIRECT" and event["delivery_stage"] == "DeliveryStage.SEND"
    ] == [{"text": "x"}] * 4


@pytest.mark.parametrize(
    "module_of", [TypedDict, typing_extensions.TypedDict], ids=["typing", "te"]
)
async def test_no_handler_is_registered_for_a_typed_dict(module_of: Any) -> None:
    Note = module_of("Note", {"text": str})  # noqa: N806

    class Agent(RoutedAgent):
        @message_handler
        async def on_note(self, message: Note, ctx: MessageContext) -> None: ...

    async def closure(ctx: ClosureContext, message: Note, how: MessageContext) -> None: ...

    runtime = SingleThreadedAgentRuntime()
    for register in (
        Agent.register(runtime, "agent", lambda: Agent("notes")),
        ClosureAgent.register_closure(runtime, "closure", closure),
    ):
        with pytest.raises(SerializationError, match=r'no handler can be chosen for "Note".*plain'):
            await register
    with pytest.raises(LookupError):
        await runtime.get("closure", lazy=False)


async def test_an_agent_without_handlers_declares_and_gets_typed_dicts() -> None:
    @handles(DictNote)
    class Agent(BaseAgent):
        async def on_message_impl(self, message: DictNote, ctx: MessageContext) -> str:
            return message["text"]

    runtime = SingleThreadedAgentRuntime()
    await Agent.register(runtime, "agent", lambda: Agent("reads"))
    runtime.start()
    note = DictNote(text="x")
    assert await runtime.send_message(note, AgentId("agent", "k")) == "x"
    await runtime.stop_when_idle()


def test_a_plain_dict_is_no_message_that_is_known() -> None:
    assert try_get_known_serializers_for_type(dict) == []
    assert try_get_known_serializers_for_type(str) == []
