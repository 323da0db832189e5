"""The table of serializers: lookup and calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from ferrogen import UnknownPayload
from ferrogen._core import DataclassCodec, SerializerTable
from ferrogen.exceptions import SerializationError

JSON = "application/json"


@dataclass
class Thing:
    number: int


class Upper:
    """A custom serializer."""

    data_content_type = JSON
    type_name = "Upper"

    def serialize(self, message: Any) -> bytes:
        return str(message).upper().encode()

    def deserialize(self, payload: bytes) -> Any:
        return payload.decode().lower()


@pytest.fixture
def table() -> SerializerTable:
    table = SerializerTable()
    table.place(Upper(), "Upper", JSON)
    return table


def test_a_serializer_is_found_by_both_names_only(table: SerializerTable) -> None:
    table.place(other := Upper(), "Upper", "text/plain")
    assert table.find("Upper", "text/plain") is other
    assert table.is_registered("Upper", JSON)
    for names in (("Upper", "text/html"), ("Lower", JSON)):
        assert table.find(*names) is None
        assert not table.is_registered(*names)


def test_a_custom_serializer_is_called_in_its_current_state(
    table: SerializerTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = {"type_name": "Upper", "data_content_type": JSON}
    assert table.serialize("a", **named) == b"A"
    assert table.deserialize(b"A", **named) == "a"
    monkeypatch.setattr(Upper, "serialize", lambda self, message: b"another")
    assert table.serialize("a", **named) == b"another"


def test_a_native_codec_replaces_its_serializer_once_it_is_needed() -> None:
    table, asked = SerializerTable(), []

    def choose() -> DataclassCodec:
        asked.append(1)
        return DataclassCodec("Thing", repr, bytes.decode, repr)

    table.place(Upper(), "Thing", JSON, choose)
    named = {"type_name": "Thing", "data_content_type": JSON}
    assert asked == []
    assert [table.serialize(Thing(1), **named) for _ in range(2)] == [b'{"number": 1}'] * 2
    assert table.deserialize(b"as read", **named) == "as read"
    assert asked == [1]


def test_a_codec_in_python_is_left_to_its_serializer() -> None:
    table = SerializerTable()
    table.place(Upper(), "Thing", JSON, Upper)  # type: ignore[arg-type]
    assert table.serialize("a", type_name="Thing", data_content_type=JSON) == b"A"


def test_a_choice_that_fails_is_made_again() -> None:
    table, outcomes = SerializerTable(), [KeyError("no"), None]

    def choose() -> DataclassCodec:
        if error := outcomes.pop(0):
            raise error
        return DataclassCodec("Thing", repr, repr, repr)

    table.place(Upper(), "Thing", JSON, choose)
    named = {"type_name": "Thing", "data_content_type": JSON}
    with pytest.raises(KeyError):
        table.serialize(Thing(1), **named)
    assert table.serialize(Thing(1), **named) == b'{"number": 1}'


def test_a_choice_may_use_the_table() -> None:
    table = SerializerTable()
    named = {"type_name": "Thing", "data_content_type": JSON}
    depth: list[int] = []

    def choose() -> DataclassCodec:
        depth.append(1)
        if len(depth) == 1:
            assert table.serialize(Thing(1), **named) == b'{"number": 1}'
        return DataclassCodec("Thing", repr, repr, repr)

    table.place(Upper(), "Thing", JSON, choose)
    assert table.serialize(Thing(2), **named) == b'{"number": 2}'


def test_a_name_without_a_serializer(table: SerializerTable) -> None:
    named = {"type_name": "Lower", "data_content_type": JSON}
    assert table.deserialize(b"x", **named) == UnknownPayload("Lower", JSON, b"x")
    with pytest.raises(SerializationError, match="Unknown type Lower with content type"):
        table.serialize("x", **named)


def test_a_read_error_is_passed_to_the_fallback_unless_the_program_ends() -> None:
    def read(payload: bytes) -> str:
        raise {b"a": ValueError, b"b": KeyboardInterrupt}[payload]("read")

    codec = DataclassCodec("Thing", repr, read, lambda payload, error: (payload, error))
    payload, error = codec.decode(b"a")
    assert (payload, str(error)) == (b"a", "read")
    with pytest.raises(KeyboardInterrupt):
        codec.decode(b"b")


def test_equal_names_are_one_name_whichever_texts_they_are() -> None:
    table = SerializerTable()
    spelled = [("".join(["Up", "per"]), "".join(["text", "/plain"])) for _ in range(3)]
    for names in spelled:
        table.place(newest := Upper(), *names)
        assert all(table.find(*others) is newest for others in spelled)
    assert table.find("Upper", "text/plain") is newest


def test_many_serializers_are_each_found_while_they_replace_one_another() -> None:
    table, names = SerializerTable(), [f"Name{number}" for number in range(50)]
    for _ in range(2):
        placed = {name: Upper() for name in names}
        for name, serializer in placed.items():
            table.place(serializer, name, JSON)
    assert all(table.find(name, JSON) is placed[name] for name in names)
    assert all(table.find("".join(list(name)), JSON) is placed[name] for name in names)
