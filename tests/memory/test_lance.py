"""LanceMemory: the same searches and filters on LanceDB."""

from __future__ import annotations

import asyncio
import json
import tempfile
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.exceptions import (
    EmbedderMismatchError,
    MemoryContentError,
    MemoryQueryError,
    MemoryScopeError,
    MemoryStoreError,
)
from ferrogen.memory import (
    HashingEmbedder,
    LanceMemory,
    Memory,
    MemoryContent,
    NewItem,
    Scope,
    SearchOptions,
    filters,
)
from ferrogen.model_context import UnboundedChatCompletionContext
from ferrogen.models import UserMessage

from ..random_examples import examples
from .conftest import text
from .test_filters import START, expressions, new_items
from .test_search import Angles, words_of
from .test_sqlite_memory import CONTENTS


@pytest.fixture
def database() -> str:
    return "lance"


async def test_contents_come_back_as_they_were(open_memory):
    await open_memory().add_many(CONTENTS)
    found = [item.content for item in await open_memory().items()]
    assert sorted(map(repr, found)) == sorted(map(repr, CONTENTS))


async def test_searches_by_text_vector_and_both(open_memory):
    memory = open_memory(embedder=Angles())
    assert await memory.search("tea 0") == []
    ids = await memory.add_many([text("green teas 0"), text("rust 30"), text("iron 170")])
    assert words_of(await memory.search("tea 99", mode="text")) == ["green teas 0"]
    near = await memory.search("x 20", mode="vector")
    assert words_of(near) == ["rust 30", "green teas 0", "iron 170"]
    assert near[0].score == pytest.approx(0.9848, abs=1e-3)
    best, *_ = await memory.search("tea 0", min_score=0.1)
    assert (best.item.id, best.score) == (ids[0], pytest.approx(1))
    assert best.parts.keys() >= {"text_rank", "vector_rank", "fusion"}
    assert words_of(await memory.search(" ", limit=1))
    assert words_of(await memory.search("x 20", mode="vector", limit=1)) == ["rust 30"]


QUERIES = ['"', "tea OR", "NEAR(", "'; DROP", "\ud800 tea", "!!", "t" * 9999]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: ascii(query[:9]))
async def test_any_text_is_a_query(open_memory, query):
    memory = open_memory()
    await memory.add(text("green tea"))
    found = await memory.search(query, mode="text")
    assert words_of(found) == (["green tea"] if "tea" in query else [])


@examples(8)
@given(st.lists(new_items, min_size=1, max_size=5), st.lists(expressions, min_size=8, max_size=8))
def test_filters_select_what_they_match(items, conditions):
    async def main(folder: str) -> None:
        memory = LanceMemory(folder, embedder=HashingEmbedder(4), clock=START.timestamp)
        await memory.add_many(items)
        everything = await memory.items()
        assert len(everything) == len(items)
        for condition in conditions:
            expected = {item.id for item in everything if condition.matches(item)}
            assert {item.id for item in await memory.items(condition)} == expected
            found = await memory.search("tea", where=condition, limit=50)
            assert {one.item.id for one in found} == expected
        await memory.close()

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(main(folder))


async def test_filters_apply_before_ranking(open_memory):
    memory = open_memory()
    await memory.add_many([text("green tea", kind="hidden") for _ in range(400)])
    await memory.add(text("one cup of tea", kind="shown"), source="ada")
    for where in (filters.metadata("kind").equals("shown"), filters.SOURCE.equals("ada")):
        for mode in ("text", "vector", "hybrid"):
            found = await memory.search("green tea", mode=mode, where=where, limit=1)
            assert words_of(found) == ["one cup of tea"], mode


async def test_namespaces_are_isolated(open_memory):
    memory = open_memory()
    ada, bob = memory.scoped(user="ada's"), memory.scoped(user="bob")
    await ada.add(text("tea of Ada"))
    await bob.add(text("tea of Bob"), id="b")
    for mode in ("text", "vector", "hybrid"):
        assert words_of(await ada.search("tea", mode=mode)) == ["tea of Ada"]
    assert await ada.get("b") is None
    assert await ada.delete("b") == 0
    await ada.clear()
    assert words_of(await memory.search("tea")) == ["tea of Bob"]
    with pytest.raises(MemoryScopeError):
        ada.scoped(user="bob")


async def test_items_expire_and_recent_ones_win(open_memory, clock):
    options = SearchOptions(recency_half_life=timedelta(days=1), recency_weight=1.0)
    memory = open_memory(clock=clock, search=options)
    await memory.add(text("short tea"), ttl=10)
    await memory.add(text("old tea"))
    clock.time += 86_400
    await memory.add(text("new tea"))
    found = await memory.search("tea", mode="text")
    assert words_of(found) == ["new tea", "old tea"]
    assert [one.parts["recency"] for one in found] == [1, 0.5]


async def test_items_are_deleted(open_memory):
    memory = open_memory()
    await memory.add_many([text("tea", n=n) for n in range(5)])
    assert await memory.delete(filters.metadata("n").at_least(2)) == 3
    assert len(await memory.items()) == 2
    await memory.optimize()
    assert len(await open_memory().items()) == 2


async def test_an_agents_context_is_updated(open_memory):
    memory = open_memory()
    await memory.add(text("Ada likes tea."), source="ada")
    context = UnboundedChatCompletionContext([UserMessage(content="tea?", source="ada")])
    (found,) = (await memory.update_context(context)).memories.results
    assert found.metadata["memory"]["source"] == "ada"
    assert len(await context.get_messages()) == 2


async def test_it_is_a_component(open_memory):
    memory = open_memory(scope=Scope(user="ada"))
    await memory.add(text("tea"))
    config = memory.dump_component()
    loaded = Memory.load_component(json.loads(config.model_dump_json()))
    assert isinstance(loaded, LanceMemory)
    assert loaded.dump_component() == config
    assert len(await loaded.items()) == 1
    await loaded.close()


async def test_bad_input_is_a_typed_error_and_nothing_is_written(open_memory, tmp_path):
    memory = open_memory()
    await memory.add(text("tea"), id="x")
    for bad in (
        [text("fine"), text("\ud800")],
        [text("fine"), NewItem(content=text("again"), id="x")],
        [NewItem(content=text("a"), id="y"), NewItem(content=text("b"), id="y")],
        [text("fine"), MemoryContent(content={"a": object()}, mime_type="x")],
    ):
        with pytest.raises(MemoryContentError):
            await memory.add_many(bad)
    assert len(await memory.items()) == 1
    for options in ({"mmr": 0.5}, {"limit": 0}, {"colour": 1}, {"where": "true"}):
        with pytest.raises(MemoryQueryError):
            await memory.search("tea", **options)
    with pytest.raises(EmbedderMismatchError, match="hashing-1/64"):
        await open_memory(embedder=HashingEmbedder(8)).search("tea")
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(MemoryStoreError):
        await open_memory(path=tmp_path / "file").add(text("tea"))
    await memory.close()
    with pytest.raises(MemoryStoreError, match="closed"):
        await memory.search("tea")
