"""Measures messages as bytes: writing and reading each kind by the registry's serializers."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import autogen_core
import msgspec
from _measure import (
    Make,
    Row,
    Work,
    announce,
    duration,
    measure,
    options,
    save,
    show_table,
    times,
)
from autogen_core._serialization import SerializationRegistry as UpstreamRegistry
from google.protobuf.any_pb2 import Any as Envelope
from google.protobuf.wrappers_pb2 import StringValue
from pydantic import BaseModel

import ferrogen
from ferrogen._serialization.registry import SerializationRegistry


@dataclass
class Flat:
    text: str
    number: int
    ratio: float


class Model(BaseModel):
    text: str
    number: int
    ratio: float


def registry(made: Any, package: Any, cls: type[Any]) -> Any:
    """Registers what the package has for the class."""
    made.add_serializer(package.try_get_known_serializers_for_type(cls))
    return made


@asynccontextmanager
async def called(call: Callable[..., Any], *given: Any, **named: Any) -> AsyncIterator[Work]:
    """Calls it again and again."""

    async def work(count: int) -> None:
        for _ in range(count):
            call(*given, **named)

    yield work


def row(name: str, floor: Callable[[], Any], calls: dict[str, Callable[[], Any]]) -> Row:
    """Makes one row out of what each column calls."""
    columns: dict[str, Make] = {
        column: partial(called, call) for column, call in {"floor": floor, **calls}.items()
    }
    return Row(name, columns)


def rows() -> Iterator[Row]:
    """Writing and reading each kind of message."""
    kinds: list[tuple[str, Any, str]] = [
        ("dataclass", Flat("hello", 3, 1.5), "application/json"),
        ("pydantic", Model(text="hello", number=3, ratio=1.5), "application/json"),
        ("protobuf", StringValue(value="hello"), "application/x-protobuf"),
    ]
    for kind, message, content_type in kinds:
        cls = type(message)
        theirs = registry(UpstreamRegistry(), autogen_core, cls)
        ours = registry(SerializationRegistry(), ferrogen, cls)
        name = ours.type_name(message)
        named = {"type_name": name, "data_content_type": content_type}
        payload = ours.serialize(message, **named)
        other = theirs.serialize(message, **named)
        assert theirs.deserialize(payload, **named) == ours.deserialize(other, **named) == message
        write, read = floors(kind, message, payload)
        yield row(
            f"{kind}, write",
            write,
            {
                "upstream": partial(theirs.serialize, message, **named),
                "ours": partial(ours.serialize, message, **named),
            },
        )
        yield row(
            f"{kind}, read",
            read,
            {
                "upstream": partial(theirs.deserialize, payload, **named),
                "ours": partial(ours.deserialize, payload, **named),
            },
        )


def floors(kind: str, message: Any, payload: bytes) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """What the library itself takes: its method for the class, bound beforehand."""
    if kind == "dataclass":
        encoder, decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Flat)
        assert json.loads(encoder.encode(message)) == json.loads(payload)
        return partial(encoder.encode, message), partial(decoder.decode, payload)
    if kind == "pydantic":
        cls = type(message)
        write = cls.__pydantic_serializer__.to_json
        return partial(write, message), partial(cls.__pydantic_validator__.validate_json, payload)
    inner = Envelope.FromString(payload).value
    return message.SerializeToString, partial(StringValue.FromString, inner)


async def main() -> None:
    chosen = options(__doc__ or "")
    rounds, seconds = (5, 0.01) if chosen.quick else (9, 0.05)
    announce()
    gc.freeze()
    results = [
        await measure(row, rounds=rounds, seconds=seconds)
        for row in rows()
        if chosen.only in row.name
    ]
    show_table(
        ["one message", "floor", "upstream", "ours", "x upstream", "x floor", "bound", "spread"],
        [
            [
                result.name,
                *(duration(result.median(column)) for column in ("floor", "upstream", "ours")),
                times(result.ratio("upstream", "ours")),
                times(result.ratio("ours", "floor")),
                times(result.ratio("upstream", "floor")),
                f"{max(result.spread('upstream'), result.spread('ours')):.0%}",
            ]
            for result in results
        ],
    )
    save(chosen.json, results)


if __name__ == "__main__":
    asyncio.run(main())
