"""Measures messages as bytes: writing and reading each kind by the registry's serializers."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import autogen_core
import msgspec
from _measure import Row, Work, announce, measure, options, save
from _tables import show_beside_bound
from autogen_core._serialization import SerializationRegistry as UpstreamRegistry
from google.protobuf.any_pb2 import Any as Envelope
from google.protobuf.wrappers_pb2 import StringValue
from pydantic import BaseModel

import ferrogen
from ferrogen.serialization.registry import SerializationRegistry


@dataclass
class Flat:
    text: str
    number: int
    ratio: float


@dataclass
class Shelf:
    things: list[Flat]


class Model(BaseModel):
    text: str
    number: int
    ratio: float


Named = tuple[str, str]
"""A type name and a content type."""


def registry(made: Any, package: Any, cls: type[Any]) -> Any:
    """Registers what the package has for the class."""
    made.add_serializer(package.try_get_known_serializers_for_type(cls))
    return made


@asynccontextmanager
async def floor(call: Callable[[Any], Any], given: Any) -> AsyncIterator[Work]:
    """Calls it again and again."""

    async def work(count: int) -> None:
        for _ in range(count):
            call(given)

    yield work


@asynccontextmanager
async def through(call: Callable[..., Any], given: Any, named: Named) -> AsyncIterator[Work]:
    """Calls a registry again and again, as programs write it."""
    name, content_type = named

    async def work(count: int) -> None:
        for _ in range(count):
            call(given, type_name=name, data_content_type=content_type)

    yield work


def rows() -> Iterator[Row]:
    """Writing and reading each kind of message."""
    flat = Flat("hello", 3, 1.5)
    kinds: list[tuple[str, Any, str]] = [
        ("dataclass", flat, "JSON_DATA_CONTENT_TYPE"),
        ("dataclass of ten", Shelf([flat] * 10), "JSON_DATA_CONTENT_TYPE"),
        ("pydantic", Model(text="hello", number=3, ratio=1.5), "JSON_DATA_CONTENT_TYPE"),
        ("protobuf", StringValue(value="hello"), "PROTOBUF_DATA_CONTENT_TYPE"),
    ]
    for kind, message, constant in kinds:
        cls = type(message)
        theirs = registry(UpstreamRegistry(), autogen_core, cls)
        ours = registry(SerializationRegistry(), ferrogen, cls)
        name = ours.type_name(message)
        # Programs name a content type by the constant of the package.
        upstream, here = (
            (name, getattr(autogen_core, constant)),
            (name, getattr(ferrogen, constant)),
        )
        payload = ours.serialize(message, type_name=name, data_content_type=here[1])
        assert payload == theirs.serialize(message, type_name=name, data_content_type=upstream[1])
        write, (read, read_from) = floors(kind, message, payload)
        yield Row(
            f"{kind}, write",
            {
                "floor": partial(floor, write, message),
                "upstream": partial(through, theirs.serialize, message, upstream),
                "ours": partial(through, ours.serialize, message, here),
            },
        )
        yield Row(
            f"{kind}, read",
            {
                "floor": partial(floor, read, read_from),
                "upstream": partial(through, theirs.deserialize, payload, upstream),
                "ours": partial(through, ours.deserialize, payload, here),
            },
        )


def floors(
    kind: str, message: Any, payload: bytes
) -> tuple[Callable[[Any], Any], tuple[Callable[[Any], Any], bytes]]:
    """What the library itself takes: its method for the class, bound beforehand."""
    cls = type(message)
    if kind == "pydantic":
        write = cls.__pydantic_serializer__.to_json
        return write, (cls.__pydantic_validator__.validate_json, payload)
    if kind == "protobuf":
        return cls.SerializeToString, (cls.FromString, Envelope.FromString(payload).value)
    return msgspec.json.Encoder().encode, (msgspec.json.Decoder(cls).decode, payload)


async def main() -> None:
    chosen = options(__doc__ or "")
    rounds, seconds = (5, 0.01) if chosen.quick else (9, 0.05)
    announce()
    gc.freeze()
    results = [
        await measure(row, rounds=rounds, seconds=seconds, clock=time.process_time)
        for row in rows()
        if chosen.only in row.name
    ]
    show_beside_bound("one message", results)
    save(chosen.json, results)


if __name__ == "__main__":
    asyncio.run(main())
