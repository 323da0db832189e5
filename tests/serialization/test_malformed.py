"""Damaged bytes: whatever was done to them, they are read or refused with type and place."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.registry import (
    SerializationRegistry,
    try_get_known_serializers_for_type,
)

JSON = "application/json"
PLACE = re.compile(r"line \d+|byte \d+|position \d+|char \d+|at `\$|\$\.")


@dataclass
class Crate:
    weight: int
    notes: list[str] = field(default_factory=list)


@dataclass
class Shelf:
    """Read by msgspec."""

    crates: list[Crate]
    ratio: float
    perhaps: Crate | None = None


@dataclass
class Barrel:
    litres: float


@dataclass
class Cellar:
    """Read by pydantic, as a dataclass."""

    things: list[Crate | Barrel]


class Label(BaseModel):
    """Read by pydantic, as a model."""

    text: str
    crates: dict[str, list[int]]


MESSAGES: list[Any] = [
    Shelf([Crate(1, ["a"]), Crate(2)], 1.5, Crate(3)),
    Cellar([Crate(1), Barrel(0.5)]),
    Label(text="é", crates={"a": [1]}),
]


def registry() -> SerializationRegistry:
    made = SerializationRegistry()
    for message in MESSAGES:
        made.add_serializer(try_get_known_serializers_for_type(type(message)))
    return made


REGISTRY = registry()


def damaged(payload: bytes) -> st.SearchStrategy[bytes]:
    places = st.integers(0, len(payload))
    return st.one_of(
        places.map(lambda at: payload[:at]),
        st.builds(lambda at, new: payload[:at] + new + payload[at:], places, st.binary(max_size=4)),
        st.builds(lambda at, new: payload[:at] + new + payload[at + 1 :], places, st.binary()),
        st.builds(
            lambda at, new: payload[:at] + new + payload[at:],
            places,
            st.sampled_from([b"NaN", b"null", b"1e999", b'"\\ud800"', b"{}", b"[[", b"9" * 5000]),
        ),
    )


@given(st.data(), st.sampled_from(MESSAGES))
def test_damaged_bytes_are_read_or_refused_with_type_and_place(data: Any, message: Any) -> None:
    cls = type(message)
    named = {"type_name": cls.__name__, "data_content_type": JSON}
    payload = data.draw(damaged(REGISTRY.serialize(message, **named)))
    try:
        assert type(REGISTRY.deserialize(payload, **named)) is cls
    except SerializationError as error:
        assert f'cannot read "{cls.__name__}"' in str(error)  # noqa: PT017 - either may happen
        assert PLACE.search(str(error)), str(error)  # noqa: PT017


@pytest.mark.parametrize("payload", [b'"text"', b"{}", b"[]", b"1"])
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_the_outermost_place_is_named_too(message: Any, payload: bytes) -> None:
    with pytest.raises(SerializationError, match=r"at `\$"):
        REGISTRY.deserialize(
            payload, type_name=type(message).__name__, data_content_type="application/json"
        )


DEEP = {
    "array": b"[" * 100_000,
    "object": b'{"crates":' * 100_000,
    "field": b'{"text":' + b"[" * 100_000,
    "unknown field": b'{"other":' + b"[" * 500_000,
}


@pytest.mark.parametrize("payload", DEEP.values(), ids=DEEP.keys())
@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_bytes_that_are_nested_too_deep_are_refused(message: Any, payload: bytes) -> None:
    name = type(message).__name__
    with pytest.raises(SerializationError, match=f'cannot read "{name}"'):
        REGISTRY.deserialize(payload, type_name=name, data_content_type=JSON)
