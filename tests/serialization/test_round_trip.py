"""The law of the wire: from message to bytes to message nothing changes, whatever the kind.

Generated messages of every kind, in every content type that the kind has; where upstream knows the
class, what it writes we read, and the other way round.
"""

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypedDict

import attrs
import jsonschema_rs
import msgspec
import pytest
from google.protobuf import json_format, struct_pb2, type_pb2
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from typing_extensions import NotRequired

import ferrogen
from ferrogen import UnknownPayload
from ferrogen.serialization import MSGPACK_DATA_CONTENT_TYPE, message_schema, message_version
from ferrogen.serialization.registry import SerializationRegistry
from ferrogen.serialization.serializer import type_name

from ..random_examples import examples

JSON = ferrogen.JSON_DATA_CONTENT_TYPE
PROTOBUF = ferrogen.PROTOBUF_DATA_CONTENT_TYPE


@dataclass
class Crate:
    weight: int
    kind: Literal["crate"] = "crate"


@dataclass
class Barrel:
    litres: float
    kind: Literal["barrel"] = "barrel"


@dataclass
class Flat:
    text: str
    number: int
    ratio: float
    flag: bool
    words: list[str]
    table: dict[str, int]


@dataclass
class Nested:
    one: Crate
    many: list[Crate]
    named: dict[str, Barrel]
    perhaps: Crate | None
    raw: bytes


@dataclass
class Either:
    cargo: Crate | Barrel
    rest: list[Crate | Barrel]
    raw: bytes


class Label(BaseModel):
    text: str
    number: int
    crate: Crate | None
    labels: "list[Label]"


@dataclass
class Labelled:
    label: Label
    labels: dict[str, Label]
    raw: bytes


class Circle(msgspec.Struct, tag=True):
    radius: float


class Square(msgspec.Struct, tag=True):
    side: int


class Drawing(msgspec.Struct):
    shape: Circle | Square
    shapes: list[Circle | Square]
    raw: bytes
    crate: Crate | None


@attrs.define
class Ship:
    name: str
    _secret: int
    crates: list[Crate]
    label: Label | None


class Order(TypedDict):
    crate: Crate
    raw: bytes
    note: NotRequired[str]


@message_version(2)
@dataclass
class Second:
    crate: Crate
    raw: bytes


TEXT = st.text(max_size=6)
WHOLE = st.integers(-(2**63), 2**63 - 1)
REAL = st.floats(allow_nan=False)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
RAW = st.binary(max_size=6)
CRATES = st.builds(Crate, weight=WHOLE)
BARRELS = st.builds(Barrel, litres=REAL)
LABELS = st.recursive(
    st.builds(Label, text=TEXT, number=WHOLE, crate=st.none() | CRATES, labels=st.just([])),
    lambda inner: st.builds(
        Label,
        text=TEXT,
        number=WHOLE,
        crate=st.none() | CRATES,
        labels=st.lists(inner, max_size=2),
    ),
    max_leaves=3,
)
SHAPES = st.builds(Circle, REAL) | st.builds(Square, WHOLE)
FLAT = st.builds(
    Flat,
    text=TEXT,
    number=WHOLE,
    ratio=REAL,
    flag=st.booleans(),
    words=st.lists(TEXT, max_size=3),
    table=st.dictionaries(TEXT, WHOLE, max_size=3),
)
CRATE_LISTS = st.lists(CRATES, max_size=3)
MESSAGES: dict[type[Any], st.SearchStrategy[Any]] = {
    Flat: FLAT,
    Nested: st.builds(
        Nested,
        one=CRATES,
        many=CRATE_LISTS,
        named=st.dictionaries(TEXT, BARRELS, max_size=2),
        perhaps=st.none() | CRATES,
        raw=RAW,
    ),
    Either: st.builds(
        Either,
        cargo=CRATES | st.builds(Barrel, litres=FINITE),
        rest=st.lists(CRATES | st.builds(Barrel, litres=FINITE), max_size=3),
        raw=RAW,
    ),
    Label: LABELS,
    Labelled: st.builds(
        Labelled, label=LABELS, labels=st.dictionaries(TEXT, LABELS, max_size=2), raw=RAW
    ),
    Drawing: st.builds(
        Drawing,
        shape=SHAPES,
        shapes=st.lists(SHAPES, max_size=3),
        raw=RAW,
        crate=st.none() | CRATES,
    ),
    Ship: st.builds(Ship, name=TEXT, secret=WHOLE, crates=CRATE_LISTS, label=st.none() | LABELS),
    Order: st.fixed_dictionaries({"crate": CRATES, "raw": RAW}, optional={"note": TEXT}),
    Second: st.builds(Second, crate=CRATES, raw=RAW),
}
PROTOBUF_MESSAGES: dict[type[Any], st.SearchStrategy[Any]] = {
    type_pb2.Type: st.builds(
        type_pb2.Type,
        name=TEXT,
        oneofs=st.lists(TEXT, max_size=2),
        syntax=st.sampled_from([type_pb2.SYNTAX_PROTO2, type_pb2.SYNTAX_PROTO3]),
        fields=st.lists(
            st.builds(
                type_pb2.Field,
                kind=st.integers(0, 18),
                number=st.integers(-(2**31), 2**31 - 1),
                json_name=TEXT,
                packed=st.booleans(),
            ),
            max_size=3,
        ),
    ),
    struct_pb2.Struct: st.dictionaries(
        TEXT,
        st.none() | st.booleans() | TEXT | FINITE | st.lists(TEXT, max_size=2),
        max_size=3,
    ).map(lambda values: json_format.ParseDict(values, struct_pb2.Struct())),
}
ALL = [
    *((cls, form) for cls in MESSAGES for form in (JSON, MSGPACK_DATA_CONTENT_TYPE)),
    *((cls, PROTOBUF) for cls in PROTOBUF_MESSAGES),
]
REGISTRY = SerializationRegistry()
for every in (*MESSAGES, *PROTOBUF_MESSAGES):
    REGISTRY.add_serializer(ferrogen.try_get_known_serializers_for_type(every))
quick = examples(20)


def messages_of(cls: type[Any]) -> st.SearchStrategy[Any]:
    return {**MESSAGES, **PROTOBUF_MESSAGES}[cls]


@pytest.mark.parametrize(("cls", "form"), ALL, ids=lambda part: getattr(part, "__name__", part))
@quick
@given(data=st.data())
def test_nothing_changes_on_the_way(cls: type[Any], form: str, data: st.DataObject) -> None:
    message = data.draw(messages_of(cls))
    how = {"type_name": type_name(cls), "data_content_type": form}
    payload = REGISTRY.serialize(message, **how)
    copy = REGISTRY.deserialize(payload, **how)
    assert copy == message
    assert type(copy) is type(message)
    if form != PROTOBUF:  # whose maps have no order
        assert REGISTRY.serialize(copy, **how) == payload


@pytest.mark.parametrize(("cls", "form"), ALL, ids=lambda part: getattr(part, "__name__", part))
def test_a_payload_of_an_unregistered_type_is_kept_unchanged(cls: type[Any], form: str) -> None:
    how = {"type_name": type_name(cls), "data_content_type": form}
    assert SerializationRegistry().deserialize(b"bytes", **how) == UnknownPayload(
        type_name(cls), form, b"bytes"
    )


# JSON Schema has no words for the infinities, which Python's json writes.
@pytest.mark.parametrize("cls", MESSAGES)
@quick
@given(data=st.data())
def test_what_is_written_keeps_to_the_schema(cls: type[Any], data: st.DataObject) -> None:
    validator = jsonschema_rs.validator_for(message_schema(cls))
    message = data.draw(messages_of(cls))
    payload = REGISTRY.serialize(message, type_name=cls.__name__, data_content_type=JSON)
    if b"Infinity" not in payload:
        validator.validate(msgspec.json.decode(payload))


@pytest.mark.parametrize("cls", PROTOBUF_MESSAGES)
@quick
@given(data=st.data())
def test_protobufs_json_keeps_to_the_schema(cls: type[Any], data: st.DataObject) -> None:
    validator = jsonschema_rs.validator_for(message_schema(cls))
    validator.validate(json_format.MessageToDict(data.draw(messages_of(cls))))


class Theirs:
    """Upstream's registry with the classes that it takes."""

    def __init__(self) -> None:
        upstream = pytest.importorskip("autogen_core._serialization")
        self.registry = upstream.SerializationRegistry()
        self._known = upstream.try_get_known_serializers_for_type

    def add(self, cls: type[Any]) -> None:
        self.registry.add_serializer(self._known(cls))


INTERCHANGED = [
    (Flat, JSON),
    (Label, JSON),
    (type_pb2.Type, PROTOBUF),
    (struct_pb2.Struct, PROTOBUF),
]


@pytest.mark.parametrize(("cls", "form"), INTERCHANGED)
@quick
@given(data=st.data())
def test_either_package_reads_what_the_other_writes(
    cls: type[Any], form: str, data: st.DataObject
) -> None:
    theirs = Theirs()
    theirs.add(cls)
    message = data.draw(messages_of(cls))
    how = {"type_name": type_name(cls), "data_content_type": form}
    assert theirs.registry.type_name(message) == how["type_name"]
    assert REGISTRY.deserialize(theirs.registry.serialize(message, **how), **how) == message
    assert theirs.registry.deserialize(REGISTRY.serialize(message, **how), **how) == message


@dataclass
class Cart:
    """Holds dataclasses in a way that upstream takes, and reads back as dicts."""

    crates: list[Crate]
    barrels: dict[str, Barrel]


@quick
@given(
    cart=st.builds(
        Cart,
        crates=st.lists(CRATES, max_size=3),
        barrels=st.dictionaries(TEXT, BARRELS, max_size=2),
    )
)
def test_nested_dataclasses_travel_between_the_packages(cart: Cart) -> None:
    theirs, ours = Theirs(), SerializationRegistry()
    theirs.add(Cart)
    ours.add_serializer(ferrogen.try_get_known_serializers_for_type(Cart))
    how = {"type_name": "Cart", "data_content_type": JSON}
    written_there = theirs.registry.serialize(cart, **how)
    assert ours.deserialize(written_there, **how) == cart
    read_there = theirs.registry.deserialize(ours.serialize(cart, **how), **how)
    assert dataclasses.asdict(read_there) == dataclasses.asdict(cart)
