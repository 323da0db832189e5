"""Memories in files, closed at the end of a test."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest

from ferrogen.memory import (
    HashingEmbedder,
    LanceMemory,
    MemoryContent,
    PostgresMemory,
    SqliteMemory,
)
from ferrogen.memory.searchable import SearchableMemory

from . import postgres_server


def text(words: str, **metadata: Any) -> MemoryContent:
    return MemoryContent(content=words, mime_type="text/plain", metadata=metadata or None)


def check_forked_child(memory: SearchableMemory) -> None:
    """Add an item in this process, one in a child, and another one in this process."""
    asyncio.run(memory.add(text("from the parent")))
    child = os.fork()
    if child == 0:
        status = 1
        try:
            asyncio.run(memory.add(text("from the child")))
            status = 0
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    asyncio.run(memory.add(text("again from the parent")))
    assert len(asyncio.run(memory.items())) == 3
    asyncio.run(memory.close())


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Give the address of a server of this session."""
    if not postgres_server.is_installed():
        pytest.skip(f"{postgres_server.PACKAGE} has no wheels for this Python")
    with postgres_server.postgres_server() as address:
        yield address


@pytest.fixture
def database() -> str:
    """Name the database of `open_memory`; tests of more than one have it as a parameter."""
    return "sqlite"


# The first test of a session also waits for the server.
on_postgres = pytest.param("postgres", marks=pytest.mark.timeout(600))
on_sql = pytest.mark.parametrize("database", ["sqlite", on_postgres])
on_all = pytest.mark.parametrize("database", ["sqlite", on_postgres, "lance"])


@pytest.fixture
async def open_memory(tmp_path: Path, database: str, request: pytest.FixtureRequest):
    """Give a function that opens the memory of this test."""
    opened: list[SearchableMemory] = []

    def open_one(**arguments: Any) -> Any:
        memory: SearchableMemory
        if database == "postgres":
            address = request.getfixturevalue("postgres")
            schema = schema_of(request, str(arguments.pop("path", "")))
            address += arguments.pop("settings", "")
            memory = PostgresMemory(address, **{"schema_name": schema, **arguments})
        elif database == "lance":
            arguments.setdefault("embedder", HashingEmbedder(64))
            memory = LanceMemory(arguments.pop("path", tmp_path / "memory"), **arguments)
        else:
            memory = SqliteMemory(arguments.pop("path", tmp_path / "memory.sqlite"), **arguments)
        opened.append(memory)
        return memory

    yield open_one
    for memory in opened:
        await memory.close()


def schema_of(request: pytest.FixtureRequest, path: str = "") -> str:
    """Return the name of a schema that no other test has."""
    named = f"{request.node.nodeid} {path}"
    return f"test_{blake2b(named.encode(), digest_size=8).hexdigest()}"
