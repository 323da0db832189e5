"""Damaged bytes are read, or refused with a `SerializationError` that names the type."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.serializer import type_name

from ..random_examples import examples
from .test_round_trip import ALL, REGISTRY, messages_of

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=4)
    | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=4) | st.integers(-3, 3), inner, max_size=3)
    ),
    max_leaves=6,
)


def read(payload: bytes, how: dict[str, str]) -> None:
    words = how["type_name"]
    try:
        REGISTRY.deserialize(payload, **how)
    except SerializationError as error:
        words = str(error)
    assert how["type_name"] in words


@pytest.mark.parametrize(("cls", "form"), ALL, ids=lambda part: getattr(part, "__name__", part))
@examples(15)
@given(data=st.data())
def test_damaged_bytes_are_read_or_refused(cls: type[Any], form: str, data: st.DataObject) -> None:
    how = {"type_name": type_name(cls), "data_content_type": form}
    payload = bytearray(REGISTRY.serialize(data.draw(messages_of(cls)), **how))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(payload)))
        cut = data.draw(st.integers(0, 2))
        payload[place : place + cut] = data.draw(st.binary(max_size=2))
    read(bytes(payload), how)


@pytest.mark.parametrize(("cls", "form"), ALL, ids=lambda part: getattr(part, "__name__", part))
@examples(15)
@given(values=VALUES, marked=st.booleans())
def test_values_of_another_shape_are_read_or_refused(
    cls: type[Any], form: str, values: Any, marked: bool
) -> None:
    if marked and isinstance(values, dict):
        values = {"$version": 1, **values}
    how = {"type_name": type_name(cls), "data_content_type": form}
    payload = msgspec.msgpack.encode(values)
    if form == "application/json":
        payload = msgspec.json.encode(msgspec.to_builtins(values, str_keys=True))
    read(payload, how)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[" * 100_000,
        b'{"raw":' * 100_000,
        b"\x91" * 100_000,
        b"\x81\xa3raw" * 100_000,
        b"\xdf\xff\xff\xff\xff",
        b"\xdd\xff\xff\xff\xff",
        b"\x81\x01\x02",
        b"\x81\x91\x01\x02",
        b'{"\\ud800": 1}',
        b'{"a": 1e999, "b": ' + b"9" * 5000 + b"}",
        b"NaN",
        b"\xef\xbb\xbf{}",
    ],
    ids=lambda payload: repr(payload[:12]),
)
def test_what_is_meant_to_hurt_is_refused(payload: bytes) -> None:
    for cls, form in ALL:
        how = {"type_name": type_name(cls), "data_content_type": form}
        with pytest.raises(SerializationError) as caught:
            REGISTRY.deserialize(payload, **how)
        assert how["type_name"] in str(caught.value)
        assert len(str(caught.value)) < 2000
