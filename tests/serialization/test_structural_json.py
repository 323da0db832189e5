"""Structs, attrs classes and typed dicts as JSON: what is written comes back, or is refused."""

import enum
import math
import sys
from dataclasses import dataclass
from typing import Any, TypedDict

import attrs
import msgspec
import pytest
from pydantic import BaseModel
from typing_extensions import NotRequired

from ferrogen import AgentId
from ferrogen.exceptions import SerializationError
from ferrogen.serialization.json_serializers import StructuralJsonMessageSerializer
from ferrogen.serialization.registry import try_get_known_serializers_for_type

# Since 3.14 the interpreter counts bytes of the stack, not calls of C functions.
TOO_DEEP = "Stack overflow" if sys.version_info >= (3, 14) else "recursion"


class Colour(enum.Enum):
    RED = "red"


class Nickname(str):
    __slots__ = ()

    def __str__(self) -> str:
        return "presented otherwise"


class Label(BaseModel):
    text: str


@dataclass
class Crate:
    weight: int


class Point(msgspec.Struct, frozen=True):
    x: int
    y: int = 0


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag=True):
    side: float


class Drawing(msgspec.Struct, rename="camel", forbid_unknown_fields=True):
    main_shape: Circle | Square
    at: list[Point]
    agent: AgentId
    nickname: Nickname
    label: Label
    raw: bytes = b""
    colour: Colour = Colour.RED


@attrs.define
class Ship:
    name: str = attrs.field(validator=attrs.validators.min_len(1))
    _secret: int = 0
    crates: list[Crate] = attrs.Factory(list)
    label: Label | None = None


@attrs.define
class Admiral:
    _rank: int
    ships: list[Ship]
    _deputy: "Admiral | None" = None


@dataclass
class Navy:
    admiral: Admiral
    flagship: Ship | None = None


class Port(TypedDict):
    ship: Ship
    others: NotRequired[list[Ship]]


@attrs.frozen
class Fleet:
    ships: dict[str, Point]


class Order(TypedDict):
    crate: Crate
    note: NotRequired[str]


MESSAGES = [
    (Point, Point(1, 2)),
    (
        Drawing,
        Drawing(
            Square(2.0), [Point(1)], AgentId("a", "k"), Nickname("n"), Label(text="t"), b"\xff\x00"
        ),
    ),
    (Circle, Circle(math.inf)),
    (Ship, Ship("Beagle", 7, [Crate(1)], Label(text="t"))),
    (Admiral, Admiral(1, [Ship("Beagle", 7)], Admiral(2, [Ship("Hood", 8)]))),
    (Port, Port(ship=Ship("Beagle", 7), others=[Ship("Hood", 8)])),
    (Fleet, Fleet({"a": Point(1, 2)})),
    (Order, Order(crate=Crate(1))),
    (Order, Order(crate=Crate(1), note="é")),
]


@pytest.mark.parametrize(("cls", "message"), MESSAGES, ids=lambda m: getattr(m, "__name__", ""))
def test_what_is_written_comes_back(cls: type[Any], message: Any) -> None:
    [serializer] = try_get_known_serializers_for_type(cls)
    assert isinstance(serializer, StructuralJsonMessageSerializer)
    copy = serializer.deserialize(serializer.serialize(message))
    assert copy == message
    assert type(copy) is type(message)
    assert (serializer.type_name, serializer.data_content_type) == (
        cls.__name__,
        "application/json",
    )


def test_private_fields_of_attrs_classes_come_back_from_inside_a_dataclass() -> None:
    navy = Navy(Admiral(1, [Ship("Beagle", 7)]), Ship("Hood", 8))
    [serializer] = try_get_known_serializers_for_type(Navy)
    assert serializer.deserialize(serializer.serialize(navy)) == navy


def test_a_subclass_of_text_is_written_as_what_it_holds() -> None:
    class Named(msgspec.Struct):
        name: Nickname

    written = StructuralJsonMessageSerializer(Named).serialize(Named(Nickname("held")))
    assert written == b'{"name":"held"}'


def test_nan_comes_back_as_nan_and_none_as_none() -> None:
    class Reading(msgspec.Struct):
        value: float
        before: float | None

    serializer = StructuralJsonMessageSerializer(Reading)
    copy = serializer.deserialize(serializer.serialize(Reading(math.nan, None)))
    assert math.isnan(copy.value)
    assert copy.before is None


@pytest.mark.parametrize(
    ("cls", "payload", "place"),
    [
        (Point, b'{"x": "1"}', "$.x"),
        (Point, b'{"x": 1', "truncated"),
        (Point, b"\xff", "byte 0"),
        (Point, b'{"x": NaN}', "$.x"),
        (Point, b'{"x": NaN', "line 1 column 10"),
        (Point, b"{}", "missing required field `x`"),
        (Point, b'{"x":1,"more":' + b"[" * 1_000_000, TOO_DEEP),
        (Drawing, b'{"mainShape":{"type":"Circle","radius":1,"extra":1},"other":2}', "other"),
        (Drawing, b'{"mainShape":{"type":"Oval"}}', "$.mainShape"),
        (Ship, b'{"name": ""}', "Length of 'name'"),
        (Ship, b'{"name":"a","label":{"text":1}}', "`$.text` - at `$.label`"),
        (Order, b'{"crate":{"weight":null}}', "$.crate.weight"),
    ],
)
def test_what_does_not_fit_is_refused_with_type_and_place(
    cls: type, payload: bytes, place: str
) -> None:
    with pytest.raises(SerializationError) as caught:
        StructuralJsonMessageSerializer(cls).deserialize(payload)
    assert f'cannot read "{cls.__name__}" from JSON' in str(caught.value)
    assert place in str(caught.value)


def test_what_has_no_json_form_is_refused_with_the_type_named() -> None:
    class Odd(msgspec.Struct):
        thing: object

    with pytest.raises(SerializationError, match=r'cannot write "Odd" as JSON: .*type object'):
        StructuralJsonMessageSerializer(Odd).serialize(Odd(object()))


@attrs.define
class Pebble:
    weight: int


class Either(msgspec.Struct):
    cargo: Crate | Pebble


class Foreign(msgspec.Struct):
    thing: memoryview
    thread: "NoSuchThing"  # noqa: F821


class Opaque(msgspec.Struct):
    thing: complex


class Harbour(msgspec.Struct):
    ship: Ship


@pytest.mark.parametrize(
    ("cls", "why"),
    [
        (Either, "may not contain more than one dataclass"),
        (Foreign, "NoSuchThing"),
        (Opaque, "no message can hold a <class 'complex'>"),
        (Harbour, 'the struct "Harbour" would lose fields of an attrs class in it'),
    ],
)
def test_a_class_that_would_not_come_back_is_refused_before_it_is_written(
    cls: type, why: str
) -> None:
    serializer = StructuralJsonMessageSerializer(cls)
    for act in (serializer.serialize, serializer.deserialize):
        with pytest.raises(SerializationError) as caught:
            act(b"{}")
        assert f'messages of "{cls.__name__}" cannot be read' in str(caught.value)
        assert why in str(caught.value)
