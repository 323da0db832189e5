"""``ferrogen memory`` looks into the files of memories."""

from __future__ import annotations

import asyncio
import json

import pytest

from ferrogen.memory import MemoryContent, NewItem, Scope, SqliteMemory


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "memory.sqlite"

    async def fill() -> None:
        async with SqliteMemory(path) as memory:
            for user, words, topic in (
                ("ada", "likes green tea", "drinks"),
                ("bob", "likes black tea", "drinks"),
                ("bob", "writes\nRust \x1b[31m", 3),
            ):
                content = MemoryContent(
                    content=words, mime_type="text/plain", metadata={"topic": topic}
                )
                item = NewItem(content=content, id=words.split()[1], source="me")
                await memory.scoped(user=user).add_many([item])

    asyncio.run(fill())
    return str(path)


def lines(done):
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_items_are_listed_the_newest_first(ferrogen, file):
    first, *_, last = lines(ferrogen("memory", "list", file))
    assert first.startswith("Rust  20")
    assert first.endswith("  me  writes Rust \N{REPLACEMENT CHARACTER}[31m")
    assert last.endswith("  me  likes green tea")
    assert len(lines(ferrogen("memory", "list", file, "--limit", "1"))) == 1


def test_items_are_selected(ferrogen, file):
    assert len(lines(ferrogen("memory", "list", file, "--user", "bob"))) == 2
    assert len(lines(ferrogen("memory", "list", file, "--where", "topic=drinks"))) == 2
    assert len(lines(ferrogen("memory", "list", file, "--where", "topic=3"))) == 1
    both = ("--where", "topic=drinks", "--where", "topic=3")
    assert lines(ferrogen("memory", "list", file, *both)) == []


def test_search_prints_scores(ferrogen, file):
    (line,) = lines(ferrogen("memory", "search", file, "rust"))
    assert float(line.split()[0]) > 0
    found = json.loads(ferrogen("memory", "search", file, "tea", "--user", "ada", "--json").stdout)
    (one,) = found
    assert (one["id"], one["user"], one["content"]) == ("green", "ada", "likes green tea")


def test_stats(ferrogen, file):
    found = lines(ferrogen("memory", "stats", file))
    assert found[:2] == ["items: 3", "versions: 3"]
    assert "  user 'bob': 2" in found
    figures = json.loads(ferrogen("memory", "stats", file, "--json").stdout)
    assert figures["namespaces"][0] == {"user": "bob", "items": 2}


def test_rebuild_and_vacuum(ferrogen, file):
    assert "sound" in ferrogen("memory", "rebuild", file).stdout
    assert lines(ferrogen("memory", "vacuum", file)) == []


def test_export_and_import(ferrogen, file, tmp_path):
    target, other = str(tmp_path / "items.jsonl"), str(tmp_path / "other.sqlite")
    assert lines(ferrogen("memory", "export", file, target)) == ["wrote 3 versions of items"]
    assert lines(ferrogen("memory", "import", other, target)) == ["read 3 versions of items"]
    assert lines(ferrogen("memory", "list", other)) == lines(ferrogen("memory", "list", file))


def test_forget(ferrogen, file):
    assert lines(ferrogen("memory", "forget", file, "--user", "bob", "--yes")) == [
        "erased 2 versions of items"
    ]

    async def rest():
        async with SqliteMemory(file, scope=Scope()) as memory:
            return [item.id for item in await memory.items()]

    assert asyncio.run(rest()) == ["green"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "missing.sqlite"), "no such file"),
        (("search", "missing.sqlite", "tea"), "no such file"),
        (("import", "new.sqlite", "missing.jsonl"), "no such file"),
        (("list", "{file}", "--where", "topic"), "KEY=VALUE"),
        (("list", "{file}", "--user", ""), "non-empty text"),
        (("forget", "{file}", "--yes"), "name a user"),
        (("stats", "{text}"), "cannot be used"),
    ],
)
def test_bad_arguments_are_reported_in_one_line(ferrogen, file, tmp_path, arguments, message):
    text = tmp_path / "text.txt"
    text.write_text("no database " * 100)
    named = [each.format(file=file, text=text) for each in arguments]
    done = ferrogen("memory", *named)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("ferrogen memory: ")
    assert message in line
    assert not (tmp_path / "missing.sqlite").exists()
    assert not (tmp_path / "new.sqlite").exists()
