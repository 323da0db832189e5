"""Versions, lifetimes, duplicates and quotas of items."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ferrogen.exceptions import MemoryContentError, MemoryQuotaError
from ferrogen.memory import (
    Deduplication,
    HashingEmbedder,
    MemoryContent,
    NewItem,
    Quota,
    filters,
)

from .conftest import on_sql, text
from .test_search import Angles, words_of


def at(time: float) -> datetime:
    return datetime.fromtimestamp(time, timezone.utc)


def contents(items):
    return [item.content.content for item in items]


@pytest.mark.parametrize("mode", ["text", "vector"])
@on_sql
async def test_what_was_known_at_a_time_can_be_searched(open_memory, clock, mode):
    memory = open_memory(clock=clock, embedder=HashingEmbedder())
    start = clock.time
    await memory.add(text("tea in Turin", since=1), id="home")
    clock.time += 10
    await memory.update("home", content=text("tea in Milan"), source="ada")
    clock.time += 10
    await memory.delete("home")
    clock.time += 10

    async def found(time):
        return words_of(await memory.search("tea", at=at(time), mode=mode))

    assert await found(start - 1) == []
    assert await found(start + 5) == ["tea in Turin"]
    assert await found(start + 15) == ["tea in Milan"]
    assert await found(start + 25) == []
    assert await memory.search("tea", mode=mode) == []
    first, second = await memory.history("home")
    assert (first.version, second.version) == (1, 2)
    assert first.valid_until == second.valid_from == at(start + 10)
    assert second.valid_until == at(start + 20)
    assert first.created_at == second.created_at
    assert second.content == text("tea in Milan", since=1)
    assert second.source == "ada"
    assert contents(await memory.items(at=at(start + 5))) == ["tea in Turin"]
    assert (await memory.get("home", at=at(start + 15))).version == 2
    assert await memory.get("home") is None


@on_sql
async def test_items_are_updated_by_a_filter(open_memory, clock):
    memory = open_memory(clock=clock, embedder=Angles())
    ids = await memory.add_many([text("a 0", n=1), text("b 0", n=2), text("c 0", n=3)])
    large = filters.metadata("n").at_least(2)
    changed = await memory.update(large, metadata={"n": None, "seen": True}, importance=0.9, ttl=50)
    assert sorted(changed) == sorted(ids[1:])
    item = await memory.get(ids[1])
    assert item.content.metadata == {"seen": True}
    assert (item.importance, item.expires_at) == (0.9, at(clock.time + 50))
    assert item.embedder == "angles"
    assert await memory.update(large, importance=0.1) == []
    assert await memory.delete(filters.IMPORTANCE.equals(0.9)) == 2
    assert contents(await memory.items()) == ["a 0"]


@on_sql
async def test_a_new_content_gets_a_new_vector_and_new_words(open_memory):
    memory = open_memory(embedder=Angles())
    await memory.add_many([NewItem(content=text("tea 0"), id="x"), text("rust 45")])
    await memory.update("x", content=text("coffee 90"))
    assert words_of(await memory.search("x 80", mode="vector")) == ["coffee 90", "rust 45"]
    assert await memory.search("tea", mode="text") == []
    await memory.update("x", text="spoon 44")
    assert words_of(await memory.search("spoon 45", mode="vector")) == ["rust 45", "coffee 90"]
    assert words_of(await memory.search("spoon", mode="text")) == ["coffee 90"]
    await memory.update("x", importance=1.0)
    assert words_of(await memory.search("spoon", mode="text")) == ["coffee 90"]


@on_sql
async def test_an_update_needs_a_valid_change(open_memory):
    memory = open_memory()
    await memory.add(text("tea"), id="x")
    for change in ({}, {"importance": 2}, {"ttl": -1}, {"metadata": {"a": object()}}):
        with pytest.raises(MemoryContentError):
            await memory.update("x", **change)
    assert [item.version for item in await memory.history("x")] == [1]


@on_sql
async def test_deleting_and_adding_with_the_same_id_again(open_memory):
    memory = open_memory()
    await memory.add(text("tea"), id="x")
    assert await memory.delete("x") == 1
    assert await memory.delete("x") == 0
    await memory.add(text("coffee"), id="x")
    assert contents(await memory.items()) == ["coffee"]


@on_sql
async def test_items_expire(open_memory, clock):
    memory = open_memory(clock=clock, ttl=100, embedder=HashingEmbedder())
    await memory.add_many(
        [text("tea"), NewItem(content=text("short tea"), ttl=timedelta(seconds=10))]
    )
    assert len(await memory.search("tea", mode="vector")) == 2
    clock.time += 10
    for mode in ("text", "vector", "hybrid"):
        assert words_of(await memory.search("tea", mode=mode)) == ["tea"], mode
    assert contents(await memory.items()) == ["tea"]
    assert (await memory.stats()).expired == 1
    assert len(await memory.search("tea", at=at(clock.time - 5))) == 2
    await memory.add(text("coffee"))  # a write removes what has expired
    assert (await memory.stats()).expired == 0
    assert len(await memory.search("tea", mode="vector")) == 2


@on_sql
async def test_erased_items_have_no_history(open_memory, clock):
    memory = open_memory(clock=clock)
    await memory.add(text("tea"), id="x")
    clock.time += 1
    await memory.update("x", content=text("coffee"))
    await memory.delete("x")
    assert await memory.erase("x") == 2
    assert await memory.history("x") == []
    assert await memory.search("tea", at=at(clock.time - 1)) == []


@on_sql
async def test_equal_items_are_stored_once_in_a_namespace(open_memory):
    memory = open_memory(deduplication=Deduplication())
    first = await memory.add_many([text("tea"), text("tea"), text("tea", topic="drinks")])
    assert first[0] == first[1] != first[2]
    assert await memory.add_many([text("tea")]) == first[:1]
    assert await memory.scoped(user="ada").add_many([text("tea")]) != first[:1]
    await memory.delete(first[0])
    assert await memory.add_many([text("tea")]) != first[:1]


@on_sql
async def test_similar_items_are_stored_once_in_a_namespace(open_memory):
    memory = open_memory(deduplication=Deduplication(near=0.99), embedder=Angles())
    (first,) = await memory.add_many([text("tea 0")])
    assert await memory.add_many([text("cup 3"), text("pot 50"), text("can 51")]) == [
        first,
        (await memory.items(filters.ID.one_of([first])))[0].id and await id_of(memory, "pot 50"),
        await id_of(memory, "pot 50"),
    ]
    assert len(await memory.items()) == 2
    other = memory.scoped(user="ada")
    await other.add(text("tea 1"))
    assert len(await other.items()) == 1
    # Another process has added one that this one has not searched yet.
    await open_memory(embedder=Angles()).add(text("hut 90"))
    assert await memory.add_many([text("hat 91")]) == [await id_of(memory, "hut 90")]


async def id_of(memory, words):
    return next(item.id for item in await memory.items() if item.content.content == words)


def test_similarity_needs_an_embedder(open_memory):
    with pytest.raises(MemoryContentError, match="embedder"):
        open_memory(deduplication=Deduplication(near=0.9))


@on_sql
async def test_the_oldest_items_are_evicted_per_user(open_memory, clock):
    memory = open_memory(clock=clock, quota=Quota(max_items=2))
    ada, bob = memory.scoped(user="ada"), memory.scoped(user="bob")
    await bob.add(text("of Bob"))
    for number in range(4):
        clock.time += 1
        await ada.add(text(f"tea {number}"))
    assert contents(await ada.items()) == ["tea 3", "tea 2"]
    assert contents(await bob.items()) == ["of Bob"]
    assert (await ada.stats()).versions == 2


@on_sql
async def test_the_least_important_items_are_evicted(open_memory, clock):
    quota = Quota(max_items=2, policy="evict_least_important", per="memory")
    memory = open_memory(clock=clock, quota=quota)
    await memory.add(text("important"), importance=1.0)
    clock.time += 1
    await memory.scoped(user="ada").add(text("a bit"), importance=0.3)
    clock.time += 1
    await memory.add(text("trifle"), importance=0.0)  # the new one is never evicted
    assert contents(await memory.items()) == ["trifle", "important"]


@on_sql
async def test_a_full_memory_rejects(open_memory):
    memory = open_memory(quota=Quota(max_items=2, policy="reject"))
    await memory.add(text("tea"))
    with pytest.raises(MemoryQuotaError, match="1 items"):
        await memory.add_many([text("coffee"), text("milk")])
    assert contents(await memory.items()) == ["tea"]
    with pytest.raises(MemoryQuotaError):
        await open_memory(quota=Quota(max_items=2)).add_many([text("a"), text("b"), text("c")])
    assert contents(await memory.items()) == ["tea"]


@on_sql
async def test_bytes_are_limited_and_former_versions_go_first(open_memory, clock):
    memory = open_memory(clock=clock, quota=Quota(max_bytes=2500))
    await memory.add(text("a" * 1000), id="x")
    clock.time += 1
    await memory.update("x", content=text("b" * 1000))
    await memory.add(text("c" * 1000))
    assert [item.version for item in await memory.history("x")] == [2]
    await memory.add(text("d" * 1000))
    assert await memory.history("x") == []
    assert (await memory.stats()).items == 2


@pytest.mark.parametrize(
    "make",
    [
        Quota,
        lambda: Quota(max_items=0),
        lambda: Quota(max_items=1, policy="drop"),
        lambda: Quota(max_items=1, per="planet"),
        lambda: Deduplication(near=1.5),
    ],
)
def test_bad_rules_are_typed_errors(make):
    with pytest.raises(MemoryContentError):
        make()


@on_sql
async def test_a_json_content_is_found_by_keys_and_values(open_memory):
    memory = open_memory()
    await memory.add(
        MemoryContent(content={"city": "Turin", "cups": [3, {"of": "tea"}]}, mime_type="x")
    )
    for query in ("turin", "cups", "tea", "3"):
        assert len(await memory.search(query)) == 1, query


@on_sql
async def test_versions_are_found_at_the_times_that_they_name(open_memory):
    memory = open_memory()
    for number in range(30):
        await memory.add(text("tea"), id=str(number))
        await memory.update(str(number), importance=0.1)
    for number in range(30):
        first, second = await memory.history(str(number))
        assert (await memory.get(str(number), at=first.valid_from)).version == 1
        assert (await memory.get(str(number), at=second.valid_from)).version == 2
