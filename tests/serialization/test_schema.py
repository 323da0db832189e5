"""Schemas of message classes: what they say of each kind."""

from dataclasses import dataclass
from typing import Any, TypedDict

import attrs
import jsonschema_rs
import msgspec
import pytest
from google.protobuf import any_pb2, api_pb2, json_format, type_pb2, wrappers_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel
from pydantic.dataclasses import dataclass as pydantic_dataclass

from ferrogen import AgentId
from ferrogen.exceptions import SerializationError
from ferrogen.serialization import message_version
from ferrogen.serialization.schema import message_schema


class Nickname(str):
    __slots__ = ()


@dataclass
class DataNote:
    text: str
    size: int = 1


class ModelNote(BaseModel):
    text: str
    size: int = 1


class StructNote(msgspec.Struct):
    text: str
    size: int = 1


@attrs.define
class AttrsNote:
    text: str
    size: int = 1


@pydantic_dataclass
class ValidatedNote:
    text: str
    size: int = 1


class DictNote(TypedDict, total=False):
    text: str
    size: int


NOTES = [DataNote, ModelNote, StructNote, AttrsNote, ValidatedNote, DictNote]


@pytest.mark.parametrize("cls", NOTES)
def test_every_kind_is_described_alike(cls: type[Any]) -> None:
    schema = message_schema(cls)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert (schema["title"], schema["type"]) == (cls.__name__, "object")
    assert {name: part["type"] for name, part in schema["properties"].items()} == {
        "text": "string",
        "size": "integer",
    }
    assert schema.get("required", []) == ([] if cls is DictNote else ["text"])


@pytest.mark.parametrize("cls", NOTES)
def test_a_version_is_required_from_the_second_on(cls: type[Any]) -> None:
    copy = type(cls.__name__, (cls,), {}) if cls is not DictNote else TypedDict("D", {"text": str})
    first = jsonschema_rs.validator_for(message_schema(message_version(1)(copy)))
    assert first.is_valid({"text": "x"})
    second = jsonschema_rs.validator_for(message_schema(message_version(2)(copy)))
    assert second.is_valid({"$version": 2, "text": "x"})
    assert not second.is_valid({"$version": 1, "text": "x"})
    assert not second.is_valid({"text": "x"})


def test_a_struct_that_forbids_unknown_fields_has_room_for_its_version() -> None:
    @message_version(2)
    class Node(msgspec.Struct, forbid_unknown_fields=True):
        children: "list[Leaf]"

    class Leaf(msgspec.Struct, forbid_unknown_fields=True):
        name: str

    globals()["Leaf"] = Leaf
    validator = jsonschema_rs.validator_for(message_schema(Node))
    assert validator.is_valid({"$version": 2, "children": [{"name": "x"}]})
    assert not validator.is_valid({"$version": 2, "children": [{"$version": 2, "name": "x"}]})
    assert not validator.is_valid({"$version": 2, "children": [], "other": 1})


def test_types_that_are_not_of_json_are_described_as_they_are_written() -> None:
    @dataclass
    class Mixed:
        agent: AgentId
        name: Nickname
        anything: object
        raw: bytes

    validator = jsonschema_rs.validator_for(message_schema(Mixed))
    good = {"agent": "a/k", "name": "n", "anything": [1], "raw": "/wA="}
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "agent": "other"})
    assert not validator.is_valid({**good, "name": 1})
    assert not validator.is_valid({**good, "raw": 1})


def test_a_model_inside_a_struct_keeps_its_own_definitions() -> None:
    class Inner(BaseModel):
        number: int

    class Outer(BaseModel):
        inners: list[Inner]

    class Holder(msgspec.Struct):
        outer: Outer
        outers: list[Outer]
        inner: DataNote

    validator = jsonschema_rs.validator_for(message_schema(Holder))
    good = {"outer": {"inners": [{"number": 1}]}, "outers": [], "inner": {"text": "x"}}
    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "outer": {"inners": [{"number": "1"}]}})
    assert not validator.is_valid({**good, "outers": [{"inners": [{"number": "1"}]}]})


@pytest.mark.parametrize(
    "message",
    [
        api_pb2.Api(
            name="n",
            methods=[api_pb2.Method(name="m", syntax=type_pb2.SYNTAX_PROTO3)],
            version="1",
        ),
        type_pb2.Option(name="o", value=packed)
        if (packed := any_pb2.Any())
        else type_pb2.Option(name="o"),
        wrappers_pb2.Int64Value(value=2**60),
        wrappers_pb2.BytesValue(value=b"\xff"),
        wrappers_pb2.DoubleValue(value=float("inf")),
        Timestamp(seconds=1),
    ],
    ids=lambda message: message.DESCRIPTOR.full_name,
)
def test_a_protobuf_message_is_described_by_its_json(message: Any) -> None:
    schema = message_schema(type(message))
    jsonschema_rs.validator_for(schema).validate(json_format.MessageToDict(message))


def test_a_protobuf_schema_says_no() -> None:
    validator = jsonschema_rs.validator_for(message_schema(api_pb2.Api))
    for wrong in (
        {"name": 1},
        {"methods": {}},
        {"methods": [{"requestStreaming": "yes"}]},
        {"methods": [{"syntax": "SYNTAX_PROTO9"}]},
    ):
        assert not validator.is_valid(wrong)


def test_a_class_that_is_no_message_is_refused() -> None:
    with pytest.raises(SerializationError, match='"int" cannot be described'):
        message_schema(int)


def test_a_class_with_an_unknown_annotation_is_refused_by_name() -> None:
    @dataclass
    class Odd:
        thing: "NoSuchThing"  # noqa: F821

    with pytest.raises(SerializationError, match=r'"Odd" cannot be described.*NoSuchThing'):
        message_schema(Odd)
