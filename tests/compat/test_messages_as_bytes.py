"""Messages as bytes: either package writes the same ones, and reads what the other wrote."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import autogen_core
import pytest
from autogen_core._serialization import SerializationRegistry as UpstreamRegistry
from hypothesis import example, given
from hypothesis import strategies as st

import ferrogen
from ferrogen.serialization.registry import SerializationRegistry

JSON = "application/json"
TEXT = st.text(st.characters(exclude_categories=[]))
PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: st.integers(),
    float: st.floats(),
    bool: st.booleans(),
    list[int]: st.lists(st.integers()),
    list[float]: st.lists(st.floats()),
    dict[str, str]: st.dictionaries(TEXT, TEXT),
    list[dict[str, bool]]: st.lists(st.dictionaries(TEXT, st.booleans())),
    Any: st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT),
        lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXT, inner)),
        max_leaves=10,
    ),
}


@st.composite
def messages(draw: Callable[..., Any]) -> Any:
    """Instances of dataclasses with fields of every kind that upstream gives back."""
    kinds = draw(st.lists(st.sampled_from(list(PLAIN)), max_size=6))
    names = [f"field_{number}" for number in range(len(kinds))]
    slots = draw(st.booleans())
    cls = dataclasses.make_dataclass("Made", zip(names, kinds, strict=True), slots=slots)
    return cls(*[draw(PLAIN[kind]) for kind in kinds])


class Bytes:
    """A registry of either package that knows one class."""

    def __init__(self, registry: Any, package: Any, cls: type[Any]) -> None:
        self.registry = registry
        registry.add_serializer(package.try_get_known_serializers_for_type(cls))
        self.named = {"type_name": cls.__name__, "data_content_type": JSON}

    def write(self, message: Any) -> bytes:
        return self.registry.serialize(message, **self.named)  # type: ignore[no-any-return]

    def read(self, payload: bytes) -> Any:
        return self.registry.deserialize(payload, **self.named)


def upstream_and_ours(cls: type[Any]) -> tuple[Bytes, Bytes]:
    return Bytes(UpstreamRegistry(), autogen_core, cls), Bytes(
        SerializationRegistry(), ferrogen, cls
    )


@dataclass
class Reading:
    value: float
    note: str
    before: float | None = None


# Upstream has no unions: this one is written by it as anything.
Reading.__dataclass_fields__["before"].type = Any  # type: ignore[attr-defined]


@given(messages())
@example(Reading(math.nan, "é\ud800\x7f", -math.inf))
@example(Reading(1e16, "", 1e-5))
def test_both_write_the_same_bytes_and_read_them(message: Any) -> None:
    upstream, ours = upstream_and_ours(type(message))
    payload = upstream.write(message)
    assert ours.write(message) == payload
    # NaN is equal to nothing, and repr distinguishes 1, 1.0 and True.
    assert repr(ours.read(payload)) == repr(upstream.read(payload)) == repr(message)


@dataclass
class Crate:
    weight: int
    notes: list[str] = field(default_factory=list)


@dataclass
class HeavyCrate(Crate):
    straps: int = 2


@dataclass
class Cart:
    crates: list[Crate]
    by_name: dict[str, Crate]


def test_nested_dataclasses_and_subclasses_are_the_same_bytes() -> None:
    upstream, ours = upstream_and_ours(Cart)
    cart = Cart([Crate(1), HeavyCrate(2, ["é"])], {"k": Crate(3)})
    assert ours.write(cart) == upstream.write(cart)
    assert dataclasses.asdict(ours.read(upstream.write(cart)))["by_name"] == {
        "k": {"weight": 3, "notes": []}
    }


def test_a_subclass_in_place_of_the_message_is_the_same_bytes() -> None:
    upstream, ours = upstream_and_ours(Crate)
    assert ours.write(HeavyCrate(2)) == upstream.write(HeavyCrate(2))


def test_an_attribute_that_is_missing_is_missed_by_both() -> None:
    upstream, ours = upstream_and_ours(Crate)
    broken = Crate(1)
    del broken.weight
    for package in (upstream, ours):
        with pytest.raises(AttributeError, match="weight"):
            package.write(broken)
