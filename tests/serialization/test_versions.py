"""Versions of a message class: what earlier versions wrote is read, newer ones are named."""

import datetime
import json
from dataclasses import dataclass
from typing import Any, TypedDict

import attrs
import msgspec
import pytest
from google.protobuf.struct_pb2 import Struct as ProtobufStruct
from pydantic import BaseModel, ConfigDict, RootModel

from ferrogen.exceptions import MessageVersionError, SerializationError
from ferrogen.serialization import MSGPACK_DATA_CONTENT_TYPE, message_version, version_of
from ferrogen.serialization.registry import (
    SerializationRegistry,
    try_get_known_serializers_for_type,
)

JSON = "application/json"


def split_name(values: dict[str, Any]) -> dict[str, Any]:
    first, _, last = values.pop("name").partition(" ")
    return {**values, "first": first, "last": last}


def add_title(values: dict[str, Any]) -> dict[str, Any]:
    return {**values, "title": ""}


third = message_version(3, upgrades={1: split_name, 2: add_title})


@third
@dataclass
class DataGuest:
    first: str
    last: str
    title: str


@third
class ModelGuest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    first: str
    last: str
    title: str


@third
class StructGuest(msgspec.Struct, forbid_unknown_fields=True):
    first: str
    last: str
    title: str


@third
@attrs.define
class AttrsGuest:
    first: str
    last: str
    title: str


class DictGuest(TypedDict):
    first: str
    last: str
    title: str


third(DictGuest)

GUESTS = [DataGuest, ModelGuest, StructGuest, AttrsGuest, DictGuest]
FORMS = [
    (JSON, json.dumps, json.loads),
    (MSGPACK_DATA_CONTENT_TYPE, msgspec.msgpack.encode, msgspec.msgpack.decode),
]


class Wire:
    """One class in a registry, written and read in one content type."""

    def __init__(self, cls: type[Any], form: tuple[Any, ...] = FORMS[0]) -> None:
        self._registry = SerializationRegistry()
        self._registry.add_serializer(try_get_known_serializers_for_type(cls))
        content_type, self._dumps, self._loads = form
        self._how = {"type_name": cls.__name__, "data_content_type": content_type}

    def write(self, message: Any) -> Any:
        return self._loads(self._registry.serialize(message, **self._how))

    def read(self, values: Any) -> Any:
        payload = self._dumps(values)
        payload = payload.encode() if isinstance(payload, str) else payload
        return self._registry.deserialize(payload, **self._how)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
@pytest.mark.parametrize("cls", GUESTS)
def test_every_version_is_read(cls: type[Any], form: Any) -> None:
    wire = Wire(cls, form)
    wanted = cls(first="Ada", last="Lovelace", title="")
    assert wire.read({"name": "Ada Lovelace"}) == wanted
    assert wire.read({"$version": 1, "name": "Ada Lovelace"}) == wanted
    assert wire.read({"$version": 2, "first": "Ada", "last": "Lovelace"}) == wanted
    assert wire.read({"$version": 3, "first": "Ada", "last": "Lovelace", "title": ""}) == wanted


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
@pytest.mark.parametrize("cls", GUESTS)
def test_the_version_is_written_beside_the_fields(cls: type[Any], form: Any) -> None:
    guest = {"first": "Ada", "last": "Lovelace", "title": "Countess"}
    assert Wire(cls, form).write(cls(**guest)) == {"$version": 3, **guest}


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
@pytest.mark.parametrize("cls", GUESTS)
def test_a_newer_version_is_refused_by_its_number(cls: type[Any], form: Any) -> None:
    with pytest.raises(MessageVersionError) as caught:
        Wire(cls, form).read({"$version": 4, "whole_name": "Ada Lovelace"})
    assert str(caught.value) == (
        f'cannot read "{cls.__name__}" of version 4: this program knows it up to version 3, '
        "so the sender is newer"
    )


@pytest.mark.parametrize("mark", [0, -1, "3", None, True, 1.0, [1]], ids=repr)
def test_what_is_no_version_is_refused(mark: Any) -> None:
    with pytest.raises(MessageVersionError, match="is not a version of a message"):
        Wire(DataGuest).read({"$version": mark, "name": "Ada Lovelace"})


def test_a_version_from_before_the_first_upgrade_is_refused() -> None:
    @message_version(3, upgrades={2: add_title})
    @dataclass
    class Guest:
        first: str
        title: str

    assert Wire(Guest).read({"$version": 2, "first": "Ada"}) == Guest("Ada", "")
    with pytest.raises(MessageVersionError, match="there is no upgrade from version 1"):
        Wire(Guest).read({"name": "Ada"})


def test_a_message_of_version_1_is_written_as_one_without_a_version() -> None:
    @dataclass
    class Plain:
        name: str

    before = Wire(Plain).write(Plain("Ada"))
    message_version(1)(Plain)
    assert Wire(Plain).write(Plain("Ada")) == before == {"name": "Ada"}
    assert Wire(Plain).read({"name": "Ada"}) == Plain("Ada")
    with pytest.raises(MessageVersionError, match="of version 2"):
        Wire(Plain).read({"$version": 2, "name": "Ada"})


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_upgrades_see_the_values_of_json_in_either_form(form: Any) -> None:
    seen = []

    def look(values: dict[str, Any]) -> dict[str, Any]:
        seen.append(dict(values))
        return values

    @message_version(2, upgrades={1: look})
    @dataclass
    class Picture:
        pixels: bytes

    pixels = "/wA=" if form[0] == JSON else b"\xff\x00"
    assert Wire(Picture, form).read({"pixels": pixels}) == Picture(b"\xff\x00")
    assert seen == [{"pixels": "/wA="}]


def test_an_upgrade_that_fails_names_the_type_and_the_step() -> None:
    with pytest.raises(SerializationError) as caught:
        Wire(DataGuest).read({"nickname": "Ada"})
    assert str(caught.value) == (
        "cannot read \"DataGuest\": its upgrade from version 1 failed: KeyError('name')"
    )
    assert isinstance(caught.value.__cause__, KeyError)


def test_an_upgrade_that_returns_nothing_says_so() -> None:
    @message_version(2, upgrades={1: lambda values: None})  # type: ignore[arg-type, return-value]
    @dataclass
    class Guest:
        name: str

    with pytest.raises(SerializationError, match="must return a dict, not None"):
        Wire(Guest).read({"name": "Ada"})


def test_what_an_upgrade_makes_is_checked_like_any_message() -> None:
    @message_version(2, upgrades={1: lambda values: {"age": "old"}})
    @dataclass
    class Guest:
        age: int

    with pytest.raises(SerializationError, match=r"\$\.age"):
        Wire(Guest).read({})


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_an_upgrade_may_make_what_json_has_no_word_for(form: Any) -> None:
    @message_version(2, upgrades={1: lambda _: {"on": datetime.date(2024, 5, 6), "raw": b"\xff"}})
    @dataclass
    class Day:
        on: datetime.date
        raw: bytes

    assert Wire(Day, form).read({}) == Day(datetime.date(2024, 5, 6), b"\xff")


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form[0])
def test_an_upgrade_that_makes_what_no_message_holds_names_the_type(form: Any) -> None:
    @message_version(2, upgrades={1: lambda values: {"name": object()}})
    @dataclass
    class Guest:
        name: str

    with pytest.raises(SerializationError, match=r'cannot read "Guest": .*type object'):
        Wire(Guest, form).read({})


def test_the_version_may_stand_anywhere() -> None:
    [serializer] = try_get_known_serializers_for_type(DataGuest)
    guest = DataGuest("Ada", "Lovelace", "")
    for payload in (
        b'{"first": "Ada", "last": "Lovelace", "title": "", "$version": 3}',
        b'{"$version":3,"first":"Ada","last":"Lovelace","title":""}',
        serializer.serialize(guest),
    ):
        assert serializer.deserialize(payload) == guest


def test_a_value_that_looks_like_the_mark_is_only_a_value() -> None:
    guest = DataGuest('"$version": 9', '{"$version": 9}', "$version")
    for form in FORMS:
        wire = Wire(DataGuest, form)
        assert wire.read(wire.write(guest)) == guest


def test_a_message_without_fields_of_its_own_carries_a_version() -> None:
    @message_version(2, upgrades={1: dict})
    @dataclass
    class Ping:
        pass

    for form in FORMS:
        assert Wire(Ping, form).write(Ping()) == {"$version": 2}
        assert Wire(Ping, form).read({"$version": 2}) == Ping()
        assert Wire(Ping, form).read({}) == Ping()


@pytest.mark.parametrize("payload", [b"{", b"\xff", b"[1]", b"1"])
def test_damaged_bytes_are_refused_with_the_type_named(payload: bytes) -> None:
    [serializer] = try_get_known_serializers_for_type(DataGuest)
    with pytest.raises(SerializationError, match='"DataGuest"'):
        serializer.deserialize(payload)


def test_a_message_without_fields_has_no_room_for_a_version() -> None:
    @message_version(2)
    class Numbers(RootModel[list[int]]):
        pass

    with pytest.raises(SerializationError, match="only objects with fields"):
        Wire(Numbers).write(Numbers([1]))


def test_a_field_by_the_name_of_the_mark_is_refused() -> None:
    Odd = message_version(2)(TypedDict("Odd", {"$version": str}))  # noqa: N806
    with pytest.raises(SerializationError, match="is the one that holds the version"):
        Wire(Odd).write({"$version": "x"})


def test_a_subclass_has_versions_of_its_own() -> None:
    @dataclass
    class Regular(DataGuest):
        visits: int

    assert (version_of(DataGuest), version_of(Regular)) == (3, 1)
    assert Wire(Regular).write(Regular("a", "b", "c", 1)) == {
        "first": "a",
        "last": "b",
        "title": "c",
        "visits": 1,
    }


@pytest.mark.parametrize(
    ("version", "upgrades", "why"),
    [
        (0, {}, "whole number from 1 on"),
        ("2", {}, "whole number from 1 on"),
        (True, {}, "whole number from 1 on"),
        (4, {1: add_title, 3: add_title}, "without a gap"),
        (3, {1: add_title}, "without a gap"),
        (2, {2: add_title}, "without a gap"),
        (2, {0: add_title, 1: add_title}, "the first version of a message is 1"),
    ],
)
def test_a_wrong_declaration_is_refused_at_once(version: Any, upgrades: Any, why: str) -> None:
    with pytest.raises(MessageVersionError, match=why):
        message_version(version, upgrades=upgrades)


def test_protobuf_messages_keep_their_own_way() -> None:
    with pytest.raises(TypeError, match="field numbers are its versions"):
        message_version(2)(ProtobufStruct)


def test_a_peer_that_declares_no_version_reads_messages_of_the_first() -> None:
    upstream = pytest.importorskip("autogen_core._serialization")

    @message_version(1)
    @dataclass
    class Note:
        text: str

    [ours] = try_get_known_serializers_for_type(Note)
    theirs = upstream.DataclassJsonMessageSerializer(Note)
    assert theirs.deserialize(ours.serialize(Note("x"))) == Note("x")
    assert ours.deserialize(theirs.serialize(Note("x"))) == Note("x")
