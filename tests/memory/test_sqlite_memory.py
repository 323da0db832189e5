"""SqliteMemory has upstream's protocol, keeps contents as they are, and refuses bad input."""

from __future__ import annotations

import asyncio
import sqlite3
import stat
import threading
from datetime import datetime, timezone

import pytest
from PIL import Image as PillowImage

from ferrogen import CancellationToken, Image
from ferrogen.exceptions import (
    MemoryContentError,
    MemoryQueryError,
    MemoryScopeError,
    MemoryStoreError,
)
from ferrogen.memory import (
    Memory,
    MemoryContent,
    NewItem,
    Scope,
    SearchOptions,
    SqliteMemory,
    filters,
)
from ferrogen.model_context import UnboundedChatCompletionContext
from ferrogen.models import AssistantMessage, SystemMessage, UserMessage

from .conftest import check_forked_child, on_all, on_sql, text

CONTENTS = [
    text("Ada likes tea.", topic="drinks"),
    MemoryContent(content={"user": "ada", "likes": ["tea", 1, None]}, mime_type="application/json"),
    MemoryContent(content=b"\xff\x00tea", mime_type="application/octet-stream"),
    MemoryContent(content="data:application/octet-stream;base64,/wA=", mime_type="text/plain"),
    MemoryContent(content="https://example.org/tea.png", mime_type="image/png", metadata={}),
    MemoryContent(content="nul \0 inside", mime_type="text/plain"),
    MemoryContent(content="", mime_type="text/markdown"),
]


def contents(result):
    return [found.content for found in result.results]


@pytest.mark.parametrize("content", CONTENTS, ids=lambda content: repr(content.content)[:20])
@on_sql
async def test_a_content_comes_back_as_it_was(open_memory, content):
    await open_memory().add(content)
    (item,) = await open_memory().items()
    assert item.content == content


@on_sql
async def test_an_image_comes_back_and_is_found_by_its_description(open_memory):
    red = Image(PillowImage.new("RGB", (1, 1), "red"))
    memory = open_memory()
    await memory.add(
        MemoryContent(content=red, mime_type="image/png", metadata={"description": "a red dot"})
    )
    (found,) = (await memory.query("red")).results
    assert isinstance(found.content, Image)
    assert found.content.to_base64() == red.to_base64()


@on_sql
async def test_query_returns_score_and_provenance_in_the_metadata(open_memory):
    memory = open_memory(scope=Scope(user="ada"))
    await memory.add(
        text("Ada likes tea.", topic="drinks"), source="ada", message_id="m-1", id="tea"
    )
    await memory.add(text("The sun shines."))
    (found,) = (await memory.query("tea")).results
    recalled = found.metadata.pop("memory")
    assert found == text("Ada likes tea.", topic="drinks")
    assert recalled["score"] == recalled["parts"]["text"] > 0
    assert (recalled["id"], recalled["source"], recalled["message_id"]) == ("tea", "ada", "m-1")
    assert recalled["user"] == "ada"
    assert datetime.fromisoformat(recalled["created_at"]).tzinfo == timezone.utc


@on_sql
async def test_what_was_recalled_can_be_added_again_without_its_score(open_memory):
    memory = open_memory()
    await memory.add(text("Ada likes tea.", topic="drinks"))
    (found,) = (await memory.query("tea")).results
    await memory.add(found)
    assert [item.content.metadata for item in await memory.items()] == [{"topic": "drinks"}] * 2


@on_sql
async def test_an_empty_query_finds_the_newest_items(open_memory, clock):
    memory = open_memory(clock=clock)
    for number in range(7):
        await memory.add(text(f"number {number}"))
        clock.time += 1
    assert contents(await memory.query()) == [f"number {number}" for number in (6, 5, 4, 3, 2)]
    assert contents(await memory.query(" \n", limit=1)) == ["number 6"]


@on_sql
async def test_clear_erases_everything_in_the_namespace(open_memory):
    memory = open_memory()
    await memory.add(text("for all"))
    await memory.scoped(user="ada").add(text("for Ada"))
    await memory.scoped(user="ada").clear()
    assert contents(await memory.query()) == ["for all"]
    await memory.clear()
    assert contents(await memory.query()) == []
    assert (await memory.stats()).versions == 0


@on_sql
async def test_update_context_adds_what_the_newest_messages_recall_once(open_memory):
    memory = open_memory(search=SearchOptions(limit=2))
    await memory.add_many([text("Ada likes green tea."), text("Bob likes rust.")])
    context = UnboundedChatCompletionContext()
    await context.add_message(UserMessage(content="Which tea for Ada?", source="bob"))
    result = await memory.update_context(context)
    assert contents(result.memories)[0] == "Ada likes green tea."
    *_, added = await context.get_messages()
    assert isinstance(added, SystemMessage)
    assert added.content.startswith("Relevant memory:\n1. Ada likes green tea.")
    await context.add_message(AssistantMessage(content="Green tea for Ada.", source="me"))
    assert (await memory.update_context(context)).memories.results == []
    assert len(await context.get_messages()) == 3


@on_sql
async def test_update_context_adds_nothing_to_an_empty_context(open_memory):
    memory = open_memory()
    await memory.add(text("Ada likes tea."))
    context = UnboundedChatCompletionContext()
    await memory.update_context(context)
    assert await context.get_messages() == []


async def test_a_memory_is_a_component(open_memory):
    memory = open_memory(scope=Scope(user="ada"), search=SearchOptions(limit=2), ttl=60, name="m")
    await memory.add(text("Ada likes tea."))
    config = memory.dump_component()
    loaded = Memory.load_component(config.model_dump_json() and config)
    assert isinstance(loaded, SqliteMemory)
    assert loaded.dump_component() == config
    assert contents(await loaded.query("tea")) == ["Ada likes tea."]
    await loaded.close()


@on_sql
async def test_many_event_loops_use_one_memory(open_memory):
    memory = open_memory()
    await memory.add(text("Ada likes tea."))

    def elsewhere() -> None:
        asyncio.run(memory.add(text("Bob likes rust.")))

    await asyncio.to_thread(elsewhere)
    assert len(await memory.items()) == 2


async def test_a_memory_that_was_not_closed_leaves_no_thread(tmp_path):
    before = threading.active_count()
    memory = SqliteMemory(tmp_path / "memory.sqlite")
    await memory.add(text("Ada likes tea."))
    assert threading.active_count() > before
    workers = [t for t in threading.enumerate() if t.name.startswith("ferrogen-memory")]
    del memory
    for worker in workers:
        worker.join(10)
        assert not worker.is_alive()


async def test_the_file_is_private(open_memory, tmp_path):
    await open_memory().add(text("Ada likes tea."))
    mode = (tmp_path / "memory.sqlite").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600


@on_sql
async def test_a_cancelled_token_prevents_the_call(open_memory):
    memory, token = open_memory(), CancellationToken()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await memory.add(text("Ada likes tea."), token)
    assert await memory.items() == []


def deep(levels):
    value = {}
    for _ in range(levels):
        value = {"a": value}
    return value


BAD_CONTENTS = {
    "lone surrogate": lambda: text("\ud800"),
    "lone surrogate in JSON": lambda: MemoryContent(content={"a": "\udfff"}, mime_type="x"),
    "no JSON": lambda: MemoryContent(content={"a": object()}, mime_type="x"),
    "infinite": lambda: MemoryContent(content={"a": float("inf")}, mime_type="x"),
    "tuple": lambda: MemoryContent(content={"a": (1, 2)}, mime_type="x"),
    "metadata without JSON": lambda: text("tea", when=datetime.now(timezone.utc)),
    "metadata with NUL": lambda: text("tea", topic="a\0b"),
    "metadata with surrogate": lambda: text("tea", **{"\ud800": 1}),
    "deep JSON": lambda: MemoryContent(content=deep(101), mime_type="x"),
    "deep metadata": lambda: text("tea", **deep(5000)),
    "mime type": lambda: MemoryContent(content="tea", mime_type="a\0b"),
}


@pytest.mark.parametrize("content", BAD_CONTENTS.values(), ids=BAD_CONTENTS.keys())
@on_sql
async def test_bad_content_is_a_typed_error_and_nothing_is_written(open_memory, content):
    memory = open_memory()
    with pytest.raises(MemoryContentError):
        await memory.add_many([text("fine"), content()])
    assert await memory.items() == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"importance": 2},
        {"importance": float("nan")},
        {"importance": True},
        {"ttl": 0},
        {"ttl": float("inf")},
        {"source": ""},
        {"source": 1},
        {"id": "\0"},
        {"created_at": datetime(2026, 1, 1)},
        {"color": "red"},
        {"created_at": datetime(9999, 12, 1, tzinfo=timezone.utc), "ttl": 1e9},
        {"text": "\ud800"},
        {"scope": "ada"},
    ],
)
@on_sql
async def test_bad_provenance_is_a_typed_error(open_memory, arguments):
    memory = open_memory()
    with pytest.raises(MemoryContentError):
        await memory.add(text("tea"), **arguments)
    assert await memory.items() == []


@on_sql
async def test_what_is_no_content_is_a_typed_error(open_memory):
    with pytest.raises(MemoryContentError, match="MemoryContent, not str"):
        await open_memory().add("tea")


@pytest.mark.parametrize("items", [None, 5, "tea", [None], [("tea", 1)]], ids=repr)
@on_all
async def test_what_is_no_list_of_items_is_a_typed_error(open_memory, items):
    memory = open_memory()
    with pytest.raises(MemoryContentError):
        await memory.add_many(items)
    assert await memory.items() == []


@pytest.mark.parametrize("which", [None, 5, True, b"x", ["x"], filters.SOURCE], ids=repr)
@on_all
async def test_what_neither_names_nor_filters_items_changes_nothing(open_memory, which):
    memory = open_memory()
    await memory.add(text("tea"), id="x")
    for method in ("delete", "erase", "update"):
        arguments = {"importance": 1.0} if method == "update" else {}
        if hasattr(memory, method):
            with pytest.raises(MemoryQueryError, match="id or a filter"):
                await getattr(memory, method)(which, **arguments)
    (item,) = await memory.items()
    assert (item.version, item.importance) == (1, 0.5)


@pytest.mark.parametrize("query", [None, 5, b"tea", ["tea"]], ids=repr)
@on_all
async def test_a_query_that_is_no_text_is_a_typed_error(open_memory, query):
    memory = open_memory()
    await memory.add(text("tea"))
    with pytest.raises(MemoryQueryError, match="text or a MemoryContent"):
        await memory.search(query)


@pytest.mark.parametrize(
    "arguments",
    [{"limit": -1}, {"limit": 1.5}, {"limit": "5"}, {"offset": None}, {"offset": 2**70}],
    ids=repr,
)
@on_sql
async def test_a_bad_limit_is_a_typed_error(open_memory, arguments):
    with pytest.raises(MemoryQueryError, match="limit and offset"):
        await open_memory().items(**arguments)


@pytest.mark.parametrize(
    "changes",
    [
        {"content": "tea"},
        {"metadata": "tea"},
        {"text": "\ud800"},
        {"text": 1},
        {"source": ""},
        {"source": 1},
        {"message_id": "a\0"},
    ],
    ids=ascii,
)
@on_sql
async def test_a_bad_change_is_a_typed_error_whatever_it_would_apply_to(open_memory, changes):
    memory = open_memory()
    await memory.add(text("tea"), id="x")
    for which in ("x", "missing"):
        with pytest.raises(MemoryContentError):
            await memory.update(which, **changes)
    (item,) = await memory.items()
    assert item.version == 1


@on_sql
async def test_an_existing_id_is_a_typed_error_and_nothing_is_written(open_memory):
    memory = open_memory()
    await memory.add(text("tea"), id="drink")
    with pytest.raises(MemoryContentError, match="'drink' exists already"):
        await memory.add_many([text("coffee"), NewItem(content=text("milk"), id="drink")])
    assert [item.content.content for item in await memory.items()] == ["tea"]


@pytest.mark.parametrize(
    "options",
    [
        {"limit": 0},
        {"limit": "5"},
        {"limit": True},
        {"limit": 10**9},
        {"mode": "fuzzy"},
        {"mmr": 2},
        {"min_score": float("nan")},
        {"recency_half_life": 0},
        {"recency_weight": -1},
        {"colour": "red"},
        {"mode": "vector"},
        {"mmr": 0.5},
        {"at": datetime(2026, 1, 1)},
        {"where": "1 = 1"},
    ],
)
@on_sql
async def test_a_bad_search_is_a_typed_error(open_memory, options):
    memory = open_memory()
    await memory.add(text("tea"))
    with pytest.raises(MemoryQueryError):
        await memory.query("tea", **options)


@pytest.mark.parametrize("user", ["", 1, "\ud800", "a\0b"])
def test_a_bad_namespace_is_a_typed_error(user):
    with pytest.raises(MemoryScopeError):
        Scope(user=user)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"template": "no place"}, "memories"),
        ({"recall_messages": 0}, "recall_messages"),
        ({"embedder_change": "mix"}, "embedder_change"),
        ({"ttl": -1}, "ttl"),
    ],
)
def test_bad_settings_are_typed_errors(open_memory, arguments, match):
    with pytest.raises(MemoryContentError, match=match):
        SqliteMemory(":memory:", **arguments)


async def test_a_file_of_another_kind_is_a_typed_error(open_memory, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("these are notes, and not a database\n" * 100)
    with pytest.raises(MemoryStoreError, match=r"notes\.txt"):
        await open_memory(path=file).add(text("tea"))
    assert file.read_text().startswith("these are notes")


async def test_the_database_of_another_program_is_a_typed_error(open_memory, tmp_path):
    file = tmp_path / "other.sqlite"
    other = sqlite3.connect(file)
    other.execute("CREATE TABLE items (id)")
    other.commit()
    other.close()
    with pytest.raises(MemoryStoreError, match="another program"):
        await open_memory(path=file).query("tea")


async def test_a_later_version_of_the_schema_is_a_typed_error(open_memory, tmp_path):
    memory = open_memory()
    await memory.add(text("tea"))
    await memory.close()
    changed = sqlite3.connect(tmp_path / "memory.sqlite")
    changed.execute("PRAGMA user_version = 99")
    changed.close()
    with pytest.raises(MemoryStoreError, match="version 99"):
        await open_memory().query("tea")


@pytest.mark.parametrize("path", ["missing/folder/memory.sqlite", "a\0b", "."])
async def test_a_path_that_cannot_be_opened_is_a_typed_error(open_memory, tmp_path, path):
    with pytest.raises(MemoryStoreError):
        await open_memory(path=str(tmp_path / path)).add(text("tea"))


@on_sql
async def test_a_closed_memory_is_a_typed_error(open_memory):
    memory = open_memory()
    await memory.add(text("tea"))
    view = memory.scoped(user="ada")
    await view.close()
    assert len(await memory.items()) == 1
    await memory.close()
    await memory.close()
    with pytest.raises(MemoryStoreError, match="closed"):
        await memory.query("tea")


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_opens_connections_of_its_own(tmp_path):
    check_forked_child(SqliteMemory(tmp_path / "memory.sqlite"))
