"""MessagePack beside JSON: the same messages, refused for the same reasons."""

import math
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel
from pydantic.dataclasses import dataclass as pydantic_dataclass

from ferrogen import UnknownPayload
from ferrogen.exceptions import SerializationError
from ferrogen.serialization import MSGPACK_DATA_CONTENT_TYPE
from ferrogen.serialization.registry import (
    SerializationRegistry,
    try_get_known_serializers_for_type,
)

from .test_dataclass_json import MESSAGES as DATACLASSES
from .test_dataclass_json import Crate, HandMade, Nested
from .test_structural_json import MESSAGES as STRUCTURAL
from .test_structural_json import Admiral, Navy, Point, Ship


class Model(BaseModel):
    text: str
    raw: bytes = b""
    inner: Crate | None = None


@pydantic_dataclass
class Validated:
    weight: int


def registry_for(cls: type[Any]) -> SerializationRegistry:
    registry = SerializationRegistry()
    registry.add_serializer(try_get_known_serializers_for_type(cls))
    return registry


def there_and_back(cls: type[Any], message: Any) -> Any:
    registry = registry_for(cls)
    how = {"type_name": cls.__name__, "data_content_type": MSGPACK_DATA_CONTENT_TYPE}
    return registry.deserialize(registry.serialize(message, **how), **how)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        *((type(message), message) for message in DATACLASSES if message != Crate(2**80)),
        *STRUCTURAL,
        (Navy, Navy(Admiral(1, [Ship("Beagle", 7)]), Ship("Hood", 8))),
        (Model, Model(text="é", raw=b"x", inner=Crate(1))),
        (Validated, Validated(1)),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_written_comes_back(cls: type[Any], message: Any) -> None:
    copy = there_and_back(cls, message)
    assert copy == message
    assert type(copy) is type(message)


def test_nan_comes_back_as_nan() -> None:
    @dataclass
    class Reading:
        value: float

    assert math.isnan(there_and_back(Reading, Reading(math.nan)).value)


def test_bytes_stay_bytes_and_all_else_is_as_in_json() -> None:
    @dataclass
    class Picture:
        pixels: bytes
        sizes: dict[int, str] = field(default_factory=dict)

    payload = registry_for(Picture).serialize(
        Picture(b"\xff\x00", {1: "small"}),
        type_name="Picture",
        data_content_type=MSGPACK_DATA_CONTENT_TYPE,
    )
    assert msgspec.msgpack.decode(payload) == {"pixels": b"\xff\x00", "sizes": {"1": "small"}}


def test_a_hand_written_init_runs_when_a_message_is_read() -> None:
    copy = there_and_back(HandMade, HandMade(2))
    assert (copy.weight, copy.doubled) == (2, 4)


@pytest.mark.parametrize(
    ("cls", "values", "place"),
    [
        (Crate, {"weight": "5"}, "$.weight"),
        (Nested, {"one": {"weight": 1}, "many": [{"weight": None}]}, "$.many[0].weight"),
        (Point, {}, "missing required field `x`"),
        (Model, {"text": 1}, "$.text"),
    ],
)
def test_what_does_not_fit_is_refused_with_type_and_place(
    cls: type[Any], values: Any, place: str
) -> None:
    with pytest.raises(SerializationError) as caught:
        registry_for(cls).deserialize(
            msgspec.msgpack.encode(values),
            type_name=cls.__name__,
            data_content_type=MSGPACK_DATA_CONTENT_TYPE,
        )
    assert f'cannot read "{cls.__name__}"' in str(caught.value)
    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("payload", "place"), [(b"\x81\xa1a", "truncated"), (b"\x81\xa1a\xc1", "byte 3"), (b"", "")]
)
@pytest.mark.parametrize("cls", [Crate, Point, Model])
def test_damaged_bytes_are_refused_with_type_and_place(
    cls: type[Any], payload: bytes, place: str
) -> None:
    with pytest.raises(SerializationError) as caught:
        registry_for(cls).deserialize(
            payload, type_name=cls.__name__, data_content_type=MSGPACK_DATA_CONTENT_TYPE
        )
    assert f'cannot read "{cls.__name__}" from MessagePack' in str(caught.value)
    assert place in str(caught.value)


class Huge(BaseModel):
    number: int


class HugePoint(msgspec.Struct):
    number: int


@pytest.mark.parametrize("message", [Crate(2**80), Huge(number=2**80), HugePoint(2**80)], ids=repr)
def test_an_integer_of_more_than_64_bits_is_refused(message: Any) -> None:
    name = type(message).__name__
    with pytest.raises(SerializationError, match=f'cannot write "{name}" as MessagePack'):
        there_and_back(type(message), message)


def test_a_type_that_is_not_registered_is_an_unknown_payload() -> None:
    how = {"type_name": "Stranger", "data_content_type": MSGPACK_DATA_CONTENT_TYPE}
    assert registry_for(Crate).deserialize(b"\x80", **how) == UnknownPayload(
        "Stranger", MSGPACK_DATA_CONTENT_TYPE, b"\x80"
    )


class Own:
    """A serializer of one's own for a class that Ferrogen knows."""

    type_name = "Crate"

    def __init__(self, content_type: str) -> None:
        self.data_content_type = content_type

    def serialize(self, message: Crate) -> bytes:
        return b"own"

    def deserialize(self, payload: bytes) -> Crate:
        return Crate(0)


def test_a_serializer_of_ones_own_brings_none_along_and_is_not_replaced() -> None:
    registry = SerializationRegistry()
    registry.add_serializer(Own("application/json"))
    assert not registry.is_registered("Crate", MSGPACK_DATA_CONTENT_TYPE)
    registry.add_serializer(Own(MSGPACK_DATA_CONTENT_TYPE))
    registry.add_serializer(try_get_known_serializers_for_type(Crate))
    written = registry.serialize(
        Crate(1), type_name="Crate", data_content_type=MSGPACK_DATA_CONTENT_TYPE
    )
    assert written == b"own"


def test_a_class_that_takes_anothers_name_takes_its_messagepack_too() -> None:
    other = type("Crate", (msgspec.Struct,), {"__annotations__": {"height": int}})
    registry = registry_for(other)
    registry.add_serializer(try_get_known_serializers_for_type(Crate))
    how = {"type_name": "Crate", "data_content_type": MSGPACK_DATA_CONTENT_TYPE}
    assert registry.deserialize(registry.serialize(Crate(1), **how), **how) == Crate(1)
