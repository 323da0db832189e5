"""A user who is forgotten leaves no byte in the files."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from ferrogen.exceptions import MemoryBusyError, MemoryQueryError, MemoryScopeError
from ferrogen.memory import HashingEmbedder, NewItem, Scope

from .conftest import text


def bytes_of(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(folder.iterdir()) if file.is_file())


async def test_no_byte_of_a_forgotten_user_is_left(open_memory, tmp_path):
    embedder = HashingEmbedder(32)
    memory = open_memory(embedder=embedder)
    ada, bob = memory.scoped(user="ada-lovelace"), memory.scoped(user="bob")
    for number in range(40):
        await ada.add_many(
            [
                NewItem(
                    content=text(f"Xylophone{number} quixotic " * 20, topic=f"Zanzibar{number}"),
                    source="Wolverhampton",
                    message_id=f"Mississippi{number}",
                )
            ]
        )
        await bob.add(text(f"tea {number}"))
    await ada.update(ada_items := (await ada.items())[0].id, content=text("Xylophone changed"))
    await ada.delete(ada_items)
    await ada.search("Xylophone1", limit=3)
    words = [b"Xylophone", b"xylophon", b"quixot", b"Zanzibar", b"Wolverhampton", b"Mississippi"]
    words += [b"ada-lovelace"]
    before = bytes_of(tmp_path)
    assert all(word in before for word in words)
    (vector,) = await vectors_of(memory, "tea 39")
    assert vector in before
    assert await memory.forget(user="ada-lovelace") == 41
    after = bytes_of(tmp_path)
    assert [word for word in words if word in after] == []
    # Every vector that is left is one of Bob's.
    assert after.count(vector) == 1
    assert len(await memory.items(limit=None)) == 40
    assert len(await memory.search("tea", mode="text", limit=100)) == 40
    assert len(await memory.search("tea", mode="vector", limit=100)) == 40
    await memory.rebuild()
    await memory.close()
    assert [word for word in words if word in bytes_of(tmp_path)] == []


async def vectors_of(memory, words):
    return await memory._storage.database.read(
        lambda each: [
            row[0] for row in each.execute("SELECT vector FROM items WHERE content = ?", (words,))
        ]
    )


async def test_an_agent_or_a_conversation_can_be_forgotten(open_memory):
    memory = open_memory(scope=Scope(user="ada"))
    await memory.scoped(conversation="tuesday").add(text("tea"))
    await memory.scoped(agent="cook").add(text("soup"))
    assert await memory.forget(conversation="tuesday") == 1
    assert await memory.forget(agent="cook") == 1
    assert await memory.items() == []


async def test_forgetting_needs_a_name_inside_the_namespace(open_memory):
    memory = open_memory(scope=Scope(user="ada"))
    with pytest.raises(MemoryQueryError):
        await memory.forget()
    with pytest.raises(MemoryScopeError):
        await memory.forget(user="bob")


async def test_a_reader_in_the_way_is_reported_and_vacuum_finishes_later(open_memory, tmp_path):
    memory = open_memory(busy_timeout=0.05)
    await memory.scoped(user="ada").add(text("Xylophone"))
    reader = sqlite3.connect(tmp_path / "memory.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM items").fetchall()
    with pytest.raises(MemoryBusyError, match="vacuum"):
        await memory.forget(user="ada")
    assert await memory.items() == []
    assert (await memory.stats()).is_erasure_unfinished
    assert b"Xylophone" in bytes_of(tmp_path)
    reader.execute("COMMIT")
    reader.close()
    await memory.vacuum()
    assert not (await memory.stats()).is_erasure_unfinished
    assert b"Xylophone" not in bytes_of(tmp_path)


async def test_vacuum_releases_space(open_memory, tmp_path):
    memory = open_memory()
    await memory.add_many([text("tea " * 1000) for _ in range(100)])
    await memory.clear()
    await memory.vacuum()
    stats = await memory.stats()
    assert (stats.wal_bytes, stats.free_bytes) == (0, 0)
    assert stats.database_bytes < 200_000
