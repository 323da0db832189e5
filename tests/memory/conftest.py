"""Memories in files, closed at the end of a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ferrogen.memory import MemoryContent, SqliteMemory


def text(words: str, **metadata: Any) -> MemoryContent:
    return MemoryContent(content=words, mime_type="text/plain", metadata=metadata or None)


class Clock:
    """A time that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1_800_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_memory(tmp_path: Path):
    """Give a function that opens the memory of this test."""
    opened: list[SqliteMemory] = []

    def open_one(**arguments: Any) -> SqliteMemory:
        memory = SqliteMemory(arguments.pop("path", tmp_path / "memory.sqlite"), **arguments)
        opened.append(memory)
        return memory

    yield open_one
    for memory in opened:
        await memory.close()
