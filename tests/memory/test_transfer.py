"""Export, import, statistics, and a change of the embedder."""

from __future__ import annotations

import json

import pytest

from ferrogen.exceptions import (
    EmbedderMismatchError,
    MemoryContentError,
    MemoryQueryError,
    MemoryStoreError,
)
from ferrogen.memory import HashingEmbedder, MemoryContent, NewItem, Scope, SqliteMemory

from .conftest import on_sql, text
from .test_search import Angles, words_of
from .test_sqlite_memory import CONTENTS


async def filled(open_memory, **arguments) -> SqliteMemory:
    memory = open_memory(**arguments)
    await memory.add_many(
        [NewItem(content=content, source="ada", importance=0.25, ttl=1e9) for content in CONTENTS]
    )
    await memory.add(text("日本語のお茶"), id="x", text="茶 explicit")
    await memory.update("x", metadata={"a": 1})
    await memory.scoped(user="ada", agent="cook").add(text("soup"))
    return memory


async def everything(memory):
    return [
        sorted(await memory.history(item.id), key=lambda one: one.version)
        for item in await memory.items(limit=None)
    ]


@on_sql
async def test_everything_is_exported_and_imported(open_memory, tmp_path):
    memory = await filled(open_memory)
    count = await memory.export(tmp_path / "items.jsonl")
    lines = (tmp_path / "items.jsonl").read_text().splitlines()
    assert count == len(lines) == len(CONTENTS) + 3
    other = open_memory(path=tmp_path / "other.sqlite")
    assert await other.import_items(tmp_path / "items.jsonl") == count
    assert await everything(other) == await everything(memory)
    assert words_of(await other.search("茶")) == words_of(await memory.search("茶"))
    assert await other.import_items(tmp_path / "items.jsonl") == 0
    assert await other.export(tmp_path / "again.jsonl") == count
    assert (tmp_path / "again.jsonl").read_text() == (tmp_path / "items.jsonl").read_text()


@on_sql
async def test_vectors_are_exported_or_computed_again(open_memory, tmp_path):
    memory = open_memory(embedder=Angles())
    await memory.add_many([text("tea 0"), text("tea 90")])
    await memory.export(tmp_path / "with.jsonl", vectors=True)
    await memory.export(tmp_path / "without.jsonl")
    for name, calls in (("with", []), ("without", [["tea 0", "tea 90"]])):
        embedder = Angles()
        other = open_memory(path=tmp_path / f"{name}.sqlite", embedder=embedder)
        await other.import_items(tmp_path / f"{name}.jsonl")
        assert embedder.calls == calls
        assert words_of(await other.search("x 80", mode="vector")) == ["tea 90", "tea 0"]


@on_sql
async def test_only_the_namespace_is_exported_and_imported(open_memory, tmp_path):
    memory = await filled(open_memory)
    assert await memory.scoped(user="ada").export(tmp_path / "ada.jsonl") == 1
    await memory.export(tmp_path / "all.jsonl")
    ada = open_memory(path=tmp_path / "other.sqlite", scope=Scope(user="ada"))
    with pytest.raises(MemoryContentError, match="outside of the namespace"):
        await ada.import_items(tmp_path / "all.jsonl")
    assert (await ada.stats()).versions == 0
    assert await ada.import_items(tmp_path / "ada.jsonl") == 1


GOOD = {
    "format": "ferrogen.memory/1",
    "id": "x",
    "version": 1,
    "importance": 0.5,
    "created_at": 1.0,
    "valid_from": 1.0,
    "scope": {},
    "kind": "text",
    "mime_type": "text/plain",
    "content": "tea",
}


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"id": ""},
        {"id": None},
        {"id": 1},
        {"version": 0},
        {"version": "one"},
        {"importance": 7},
        {"created_at": None},
        {"valid_from": "yesterday"},
        {"created_at": 1e300},
        {"expires_at": float("nan")},
        {"valid_until": float("inf")},
        {"scope": {"planet": "earth"}},
        {"scope": []},
        {"kind": "spell"},
        {"content": 1},
        {"kind": "bytes", "content": "no base64!"},
        {"kind": "image", "content": "no image"},
        {"metadata": [1]},
        {"vector": "AAA=", "embedder": "e"},
        {"vector": "AAAAAA=="},
    ],
    ids=str,
)
@on_sql
async def test_a_bad_line_is_a_typed_error_and_nothing_is_imported(open_memory, tmp_path, change):
    memory, file = open_memory(), tmp_path / "items.jsonl"
    file.write_text("\n".join(json.dumps(one) for one in (GOOD, {**GOOD, "id": "y", **change})))
    with pytest.raises(MemoryContentError, match="line 2"):
        await memory.import_items(file)
    assert (await memory.stats()).versions == 0
    file.write_text(json.dumps(GOOD) + "\n\n")
    assert await memory.import_items(file) == 1


@pytest.mark.parametrize("data", [b"\xff\xfe", b"{", b"[1]", b"1", b"[" * 100_000, b'{"id": 1}'])
@on_sql
async def test_a_file_that_is_not_json_lines_is_a_typed_error(open_memory, tmp_path, data):
    (tmp_path / "items.jsonl").write_bytes(data)
    with pytest.raises(MemoryContentError, match="line 1"):
        await open_memory().import_items(tmp_path / "items.jsonl")


@on_sql
async def test_a_failed_export_leaves_the_former_file(open_memory, tmp_path):
    memory = await filled(open_memory)
    with pytest.raises(MemoryStoreError, match="folder"):
        await memory.export(tmp_path / "missing folder" / "items.jsonl")
    assert not list(tmp_path.glob("*.part"))


async def test_a_memory_is_not_exported_into_itself(open_memory, tmp_path):
    memory = await filled(open_memory)
    with pytest.raises(MemoryContentError, match="itself"):
        await memory.export(tmp_path / "memory.sqlite")
    await memory.rebuild()


@on_sql
async def test_statistics(open_memory):
    memory = await filled(open_memory, embedder=HashingEmbedder(8))
    stats = await memory.stats()
    assert (stats.items, stats.versions) == (len(CONTENTS) + 2, len(CONTENTS) + 3)
    assert stats.scopes == [(Scope(), len(CONTENTS) + 1), (Scope(user="ada", agent="cook"), 1)]
    # Bytes without a description (two of them), and an empty text, have no vector.
    assert stats.vectors == {"ferrogen/hashing-1/8": stats.items - 3}
    assert stats.database_bytes + stats.wal_bytes > 10_000


@on_sql
async def test_another_embedder_is_refused(open_memory):
    await open_memory(embedder=HashingEmbedder(8)).add(text("tea"))
    memory = open_memory(embedder=HashingEmbedder(16))
    for attempt in (memory.add(text("coffee")), memory.search("tea")):
        with pytest.raises(EmbedderMismatchError, match="hashing-1/8") as caught:
            await attempt
        assert caught.value.stored == ("ferrogen/hashing-1/8",)
    assert words_of(await memory.search("tea", mode="text")) == ["tea"]
    assert (await memory.stats()).items == 1


@on_sql
async def test_embedding_again_reports_progress(open_memory):
    memory = open_memory(embedder=HashingEmbedder(8))
    await memory.add_many([text(f"tea {number}") for number in range(150)])
    await memory.add(MemoryContent(content=b"\xff", mime_type="x"))
    changed, seen = open_memory(embedder=HashingEmbedder(16)), []
    assert await changed.reembed(seen.append) == 150
    assert [(one.done, one.total) for one in seen] == [(64, 150), (128, 150), (150, 150)]
    assert len(await changed.search("tea", mode="vector", limit=200)) == 150
    assert (await changed.stats()).vectors == {"ferrogen/hashing-1/16": 150}
    with pytest.raises(EmbedderMismatchError):
        await memory.search("tea")


@on_sql
async def test_a_change_of_the_embedder_runs_in_the_background(open_memory):
    memory = open_memory(embedder=HashingEmbedder(8))
    await memory.add_many([text(f"tea {number}") for number in range(150)])
    changed = open_memory(embedder=HashingEmbedder(16), embedder_change="reembed")
    assert changed.reembedding_progress is None
    await changed.add(text("coffee"))  # is not kept waiting
    while (progress := changed.reembedding_progress) is None or progress.done < progress.total:
        await changed.stats()
    assert (progress.done, progress.total) == (150, 150)
    assert len(await changed.search("tea", mode="vector", limit=200)) == 151


@on_sql
async def test_vectors_need_an_embedder(open_memory):
    with pytest.raises(MemoryQueryError, match="embedder"):
        await open_memory().reembed()
