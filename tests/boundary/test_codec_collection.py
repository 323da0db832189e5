"""Garbage around the codecs: classes and serializers are collected, and messages leave nothing."""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from google.protobuf.wrappers_pb2 import StringValue
from pydantic import BaseModel

from ferrogen._core import (
    DataclassCodec,
    EnvelopeCodec,
    JsonWriter,
    ModelCodec,
    SerializerTable,
)
from ferrogen.exceptions import SerializationError
from ferrogen.serialization.model_codec import model_shape
from ferrogen.serialization.registry import (
    SerializationRegistry,
    try_get_known_serializers_for_type,
)

JSON = "application/json"


class Inner(BaseModel):
    n: Any


@dataclass
class Empty:
    pass


class Thing:
    """Something that can refer to anything, and be called and asked for anything."""

    codec: Any = None

    def __call__(self, *given: Any) -> Any:
        return self

    def serialize(self, message: Any) -> bytes:
        return b""


def by_a_writer(thing: Thing) -> Any:
    return JsonWriter("Thing", thing)


def by_a_codec_that_reads(thing: Thing) -> Any:
    return DataclassCodec("Thing", repr, thing, repr)


def by_a_codec_that_mends(thing: Thing) -> Any:
    return DataclassCodec("Thing", repr, repr, thing)


def by_a_codec_of_models(thing: Thing) -> Any:
    return ModelCodec(Thing, thing, thing, thing)  # type: ignore[arg-type]


def by_the_class_of_a_model(thing: Thing) -> Any:
    class Model(BaseModel):
        holds: ClassVar[Any] = thing
        inner: list[Inner] = []

    codec = ModelCodec(Model, model_shape, repr, repr)  # type: ignore[arg-type]
    assert codec.encode(Model(inner=[Inner(n=1)])) == b'{"inner":[{"n":1}]}'
    return codec


def by_a_codec_of_envelopes(thing: Thing) -> Any:
    return EnvelopeCodec(Thing, "a/b", thing, thing, thing)


def by_a_table(thing: Thing) -> Any:
    table = SerializerTable()
    table.place(thing, "Thing", JSON)  # type: ignore[arg-type]
    return table


def by_a_table_that_will_ask_for_a_codec(thing: Thing) -> Any:
    table = SerializerTable()
    table.place(object(), "Thing", JSON, thing)  # type: ignore[arg-type]
    return table


def by_a_table_that_has_asked_for_a_codec(thing: Thing) -> Any:
    table, codec = SerializerTable(), DataclassCodec("Thing", thing, repr, repr)
    table.place(object(), "Thing", JSON, lambda: codec)  # type: ignore[arg-type]
    table.serialize(Empty(), type_name="Thing", data_content_type=JSON)
    return table


@pytest.mark.parametrize(
    "hold",
    [
        by_a_writer,
        by_a_codec_that_reads,
        by_a_codec_that_mends,
        by_a_codec_of_models,
        by_the_class_of_a_model,
        by_a_codec_of_envelopes,
        by_a_table,
        by_a_table_that_will_ask_for_a_codec,
        by_a_table_that_has_asked_for_a_codec,
    ],
)
def test_what_is_held_is_collected_with_its_holder(hold: Callable[[Thing], Any]) -> None:
    thing = Thing()
    thing.codec = hold(thing)
    gone = weakref.ref(thing)
    del thing
    gc.collect()
    assert gone() is None


def test_a_message_class_that_was_written_and_read_is_collected() -> None:
    @dataclass
    class Crate:
        weight: int
        inner: Any = None

    registry = SerializationRegistry()
    registry.add_serializer(try_get_known_serializers_for_type(Crate))
    Crate.registry = registry  # type: ignore[attr-defined]
    named = {"type_name": "Crate", "data_content_type": JSON}
    payload = registry.serialize(Crate(1, Crate(2)), **named)
    registry.deserialize(payload, **named)
    gone = weakref.ref(Crate)
    del Crate, registry
    gc.collect()
    assert gone() is None


def test_whatever_is_written_and_read_leaves_no_reference() -> None:
    @dataclass
    class Crate:
        weight: Any

    writer_of: Any = {"key of its own": [Crate((1.5, None, True)), 2**70, {1: "\ud800"}]}
    message, unwritable = Crate(writer_of), Crate(object())
    registry = SerializationRegistry()
    registry.add_serializer(try_get_known_serializers_for_type(Crate))
    name, content_type = "".join(["Cra", "te"]), "".join([JSON[:4], JSON[4:]])
    named = {"type_name": name, "data_content_type": content_type}
    broken = b'{"weight": '
    observed: list[Any] = [writer_of, message, unwritable, name, content_type, broken, Crate]

    def once() -> None:
        payload = registry.serialize(message, **named)
        assert registry.deserialize(payload, **named).weight.keys() == writer_of.keys()
        with pytest.raises(SerializationError):
            registry.serialize(unwritable, **named)
        with pytest.raises(SerializationError):
            registry.deserialize(broken, **named)
        registry.deserialize(broken, type_name=name, data_content_type="text/plain")
        assert registry.find(name, content_type)

    once()
    gc.collect()
    before = [sys.getrefcount(one) for one in observed]
    for _ in range(100):
        once()
    gc.collect()
    assert [sys.getrefcount(one) for one in observed] == before


@pytest.mark.parametrize(
    ("message", "broken"),
    [(Inner(n=[1.5, {"a": None}]), b'{"n":'), (StringValue(value="a"), b"\n\x01")],
)
def test_models_and_protobuf_messages_leave_no_reference(message: Any, broken: bytes) -> None:
    cls = type(message)
    registry = SerializationRegistry()
    [serializer] = try_get_known_serializers_for_type(cls)
    registry.add_serializer(serializer)
    named = {"type_name": serializer.type_name, "data_content_type": serializer.data_content_type}
    observed: list[Any] = [message, broken, cls, serializer]

    def once() -> None:
        assert registry.deserialize(registry.serialize(message, **named), **named) == message
        with pytest.raises(SerializationError):
            registry.deserialize(broken, **named)

    once()
    gc.collect()
    before = [sys.getrefcount(one) for one in observed]
    for _ in range(100):
        once()
    gc.collect()
    assert [sys.getrefcount(one) for one in observed] == before
