"""Dataclasses as JSON: what is written comes back, or is refused with a reason."""

import dataclasses
import datetime
import decimal
import enum
import json
import math
import uuid
from dataclasses import InitVar, dataclass, field
from typing import Any, ClassVar, Literal

import pytest
from pydantic import BaseModel

from ferrogen._core import AgentId
from ferrogen.exceptions import SerializationError
from ferrogen.serialization.json_serializers import DataclassJsonMessageSerializer


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Crate:
    weight: int


@dataclass
class Barrel:
    litres: float


@dataclass
class HeavyCrate(Crate):
    straps: int = 2


class Label(BaseModel):
    text: str


class Nickname(str):
    pass


@dataclass
class Leaf:
    when: datetime.datetime
    raw: bytes
    price: decimal.Decimal
    key: uuid.UUID
    colour: Colour
    tags: set[str]
    agent: AgentId
    nickname: Nickname
    anything: Any
    whatever: object


@dataclass
class Nested:
    one: Crate
    many: list[Crate]
    named: dict[str, Crate]
    pair: tuple[Crate, Barrel]
    perhaps: Crate | None = None


@dataclass
class Either:
    cargo: Crate | Barrel
    rest: list[Crate | Barrel] = field(default_factory=list)


@dataclass
class Sealed:
    cargo: Crate | Barrel
    seal: bytes


@dataclass
class Labelled:
    label: Label
    more: dict[str, list[Label]] = field(default_factory=dict)
    crate: Crate | None = None


@dataclass
class LabelOr:
    thing: Label | Crate | str | int


@dataclass(slots=True, frozen=True)
class Slotted:
    weight: int
    notes: list[str] = field(default_factory=list)
    unit: ClassVar[str] = "kg"


@dataclass
class Counted:
    weight: int
    seen: int = field(init=False, default=0)
    _hidden: str = "h"


@dataclass
class Scaled:
    weight: int
    factor: InitVar[int] = 2

    def __post_init__(self, factor: int) -> None:
        self.label = f"x{factor}"


@dataclass
class Tree:
    branches: list["Tree"]


@dataclass(init=False)
class HandMade:
    weight: int

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.doubled = weight * 2


def counted() -> Counted:
    message = Counted(1)
    message.seen = 7
    return message


MESSAGES = [
    Leaf(
        datetime.datetime(2024, 5, 6, 7, 8),
        b"\xff\x00",
        decimal.Decimal("1.50"),
        uuid.UUID(int=7),
        Colour.BLUE,
        {"a", "b"},
        AgentId("greeter", "default"),
        Nickname("nick"),
        {"a": [1, None]},
        "text",
    ),
    Nested(Crate(1), [Crate(2)], {"k": Crate(3)}, (Crate(4), Barrel(0.5)), Crate(5)),
    Nested(Crate(1), [], {}, (Crate(4), Barrel(0.5))),
    Either(Barrel(1.5), [Crate(1), Barrel(2.5)]),
    Sealed(Crate(1), b"\xff\x00"),
    Labelled(Label(text="a"), {"b": [Label(text="c")]}, Crate(1)),
    LabelOr(Label(text="a")),
    LabelOr(Crate(1)),
    LabelOr("text"),
    LabelOr(5),
    Slotted(1, ["n"]),
    counted(),
    Scaled(3),
    Tree([Tree([]), Tree([Tree([])])]),
    HeavyCrate(1, straps=4),
    Crate(2**80),
    Barrel(math.inf),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_what_is_written_comes_back(message: Any) -> None:
    serializer = DataclassJsonMessageSerializer(type(message))
    copy = serializer.deserialize(serializer.serialize(message))
    assert copy == message
    assert type(copy) is type(message)


def test_nan_comes_back_as_nan_and_none_as_none() -> None:
    @dataclass
    class Reading:
        value: float
        before: float | None

    serializer = DataclassJsonMessageSerializer(Reading)
    copy = serializer.deserialize(serializer.serialize(Reading(math.nan, None)))
    assert math.isnan(copy.value)
    assert copy.before is None


def test_a_subclass_instance_is_written_with_all_its_fields() -> None:
    payload = DataclassJsonMessageSerializer(Crate).serialize(HeavyCrate(1, straps=4))
    assert json.loads(payload) == {"weight": 1, "straps": 4}


def test_a_hand_written_init_runs_when_a_message_is_read() -> None:
    message = DataclassJsonMessageSerializer(HandMade).deserialize(b'{"weight": 2}')
    assert (message.weight, message.doubled) == (2, 4)


@pytest.mark.parametrize(
    ("cls", "payload", "place"),
    [
        (Crate, b'{"weight": "5"}', "$.weight"),
        (Crate, b'{"weight": 5', "line 1 column 13"),
        (Crate, b'{"weight": 5}}', "line 1 column 14"),
        (Crate, b'{"weight": NaN', "line 1 column 15"),
        (Crate, b"\xff", "byte 0"),
        (Crate, b"{}", "weight"),
        (Crate, b"[1]", "array"),
        (Nested, b'{"one":{"weight":1},"many":[{"weight":1},{"weight":null}]}', "$.many[1].weight"),
        (Labelled, b'{"label":{"text":1}}', "$.label.text"),
        (Labelled, b'{"label":', "line 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_type_and_place(
    cls: type, payload: bytes, place: str
) -> None:
    with pytest.raises(SerializationError) as caught:
        DataclassJsonMessageSerializer(cls).deserialize(payload)
    assert f'"{cls.__name__}"' in str(caught.value)
    assert place in str(caught.value)


def test_union_members_that_look_alike_are_refused_when_they_would_change_class() -> None:
    @dataclass
    class Pebble:
        weight: int

    @dataclass
    class Bag:
        content: Crate | Pebble

    serializer = DataclassJsonMessageSerializer(Bag)
    assert serializer.deserialize(serializer.serialize(Bag(Crate(1)))) == Bag(Crate(1))
    with pytest.raises(SerializationError, match="would come back as"):
        serializer.serialize(Bag(Pebble(1)))


def test_similar_union_members_are_distinguished_by_a_literal() -> None:
    @dataclass
    class Rise:
        by: int
        kind: Literal["rise"] = "rise"

    @dataclass
    class Fall:
        by: int
        kind: Literal["fall"] = "fall"

    @dataclass
    class Move:
        what: Rise | Fall

    serializer = DataclassJsonMessageSerializer(Move)
    assert serializer.deserialize(serializer.serialize(Move(Fall(1)))) == Move(Fall(1))


def test_a_class_with_an_unknown_annotation_is_taken_and_refused_only_on_reading() -> None:
    @dataclass
    class Odd:
        thing: "NoSuchThing"  # noqa: F821

    serializer = DataclassJsonMessageSerializer(Odd)
    assert serializer.serialize(Odd(1)) == b'{"thing": 1}'
    with pytest.raises(SerializationError, match="NoSuchThing"):
        serializer.deserialize(b'{"thing":1}')


def test_a_value_without_json_form_is_refused_with_the_type_named() -> None:
    @dataclass
    class Odd:
        thing: object

    with pytest.raises(SerializationError, match="cannot write"):
        DataclassJsonMessageSerializer(Odd).serialize(Odd(object()))


def test_a_message_that_holds_itself_is_refused() -> None:
    tree = Tree([])
    tree.branches.append(tree)
    with pytest.raises(SerializationError, match=r"recursion|Circular reference"):
        DataclassJsonMessageSerializer(Tree).serialize(tree)


def test_nothing_of_the_class_is_inspected_before_first_use() -> None:
    class Untouchable(type):
        def __getattribute__(cls, name: str) -> Any:
            raise AssertionError(name)

    class Message(metaclass=Untouchable):
        pass

    DataclassJsonMessageSerializer(Message)


@pytest.mark.parametrize(
    "message",
    [
        dataclasses.make_dataclass("Flat", [("n", int), ("s", str), ("l", list), ("d", dict)])(
            1, "é", [1, None], {"a": 1.5}
        ),
        Slotted(1, ["n"]),
        Barrel(math.inf),
    ],
    ids=lambda m: type(m).__name__,
)
def test_flat_messages_are_read_by_either_package(message: Any) -> None:
    upstream = pytest.importorskip("autogen_core._serialization")
    theirs = upstream.DataclassJsonMessageSerializer(type(message))
    ours = DataclassJsonMessageSerializer(type(message))
    assert ours.deserialize(theirs.serialize(message)) == message
    assert theirs.deserialize(ours.serialize(message)) == message
    assert ours.type_name == theirs.type_name
    assert ours.data_content_type == theirs.data_content_type
