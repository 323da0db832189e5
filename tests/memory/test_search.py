"""Searches by text, by vectors and by both."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.exceptions import EmbedderError
from ferrogen.memory import (
    Embedder,
    HashingEmbedder,
    NewItem,
    Scope,
    SearchOptions,
    SqliteMemory,
    filters,
)

from .conftest import on_sql, text


class Angles(Embedder):
    """Turns a number of degrees, the last word of a text, into a point on the unit circle."""

    id = "angles"

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    async def embed(self, texts, cancellation_token=None):
        self.calls.append(list(texts))
        turns = [math.radians(float(each.split()[-1])) for each in texts]
        return [[math.cos(turn), math.sin(turn)] for turn in turns]


def words_of(results):
    return [result.item.content.content for result in results]


@pytest.mark.parametrize(
    "query",
    [
        "tea",
        "TEA!",
        '"tea"',
        "tea OR",
        "AND tea NOT",
        "tea*",
        "^tea",
        "text:tea",
        "-tea",
        "NEAR(tea",
        "(tea",
        "tea)",
        "{tea}",
        "+tea",
        "te\u0301a tea",
        "\ud800 tea",
        "tea \0",
        "; DROP TABLE items; tea",
        "tea " * 50_000,
        " ".join(f"word{number}" for number in range(20_000)) + " tea" * 2,
    ],
    ids=lambda query: ascii(query[:12]),
)
@on_sql
async def test_no_query_is_syntax_of_the_index(open_memory, query):
    memory = open_memory()
    await memory.add_many([text("green tea"), text("black coffee")])
    assert words_of(await memory.search(query)) == ["green tea"]


@pytest.mark.parametrize("query", ["?!", '"', "*", "'", "(", "…", "\0", "\ud800", "🦀"])
@on_sql
async def test_a_query_without_words_finds_nothing(open_memory, query):
    memory = open_memory()
    await memory.add(text("green tea"))
    assert await memory.search(query) == []


@given(st.text(max_size=30))
async def test_any_text_is_a_query(query):
    memory = SqliteMemory(":memory:")
    await memory.add_many([text("green tea"), text(query.encode(errors="replace").decode())])
    await memory.search(query)
    await memory.close()


@pytest.mark.parametrize(
    ("stored", "query"),
    [
        ("お茶が好きです", "茶"),
        ("我喜欢绿茶", "绿茶"),
        ("Caffè in Torino", "caffe"),
        ("Straße", "STRAßE"),
        ("ชาเขียว", "ชา"),
        ("she likes teas", "like tea"),
        ("naïve café", "cafe"),
    ],
)
@on_sql
async def test_words_of_many_scripts_are_found(open_memory, stored, query):
    memory = open_memory()
    await memory.add_many([text(stored), text("something else")])
    assert words_of(await memory.search(query)) == [stored]


@on_sql
async def test_bm25_prefers_rare_words_and_short_texts(open_memory):
    memory = open_memory()
    await memory.add_many(
        [text("the tea"), text("the tea of the house and of the garden and the street")]
        + [text(f"the other {number}") for number in range(8)]
    )
    first, second, *_ = await memory.search("the tea", limit=10)
    assert words_of([first]) == ["the tea"]
    assert first.score > second.score > 0
    assert first.parts == {"text": first.score}


@on_sql
async def test_vectors_are_ranked_by_their_cosine(open_memory):
    memory = open_memory(embedder=Angles())
    await memory.add_many([text(f"at {degrees}") for degrees in (0, 30, 90, 180)])
    found = await memory.search("near 20", mode="vector")
    assert words_of(found) == ["at 30", "at 0", "at 90", "at 180"]
    assert [round(one.score, 4) for one in found] == [
        round(math.cos(math.radians(turn)), 4) for turn in (10, 20, 70, 160)
    ]
    assert found[0].parts == {"vector": found[0].score}
    assert words_of(await memory.search("x 20", mode="vector", min_score=0.9)) == ["at 30", "at 0"]
    assert words_of(await memory.search("x 20", mode="vector", limit=1)) == ["at 30"]


@on_sql
async def test_hybrid_fuses_the_ranks(open_memory):
    memory = open_memory(embedder=Angles())
    await memory.add_many([text("tea 0"), text("tea 80"), text("rust 10"), text("iron 180")])
    found = await memory.search("tea 0")
    assert words_of(found) == ["tea 0", "tea 80", "rust 10"]
    best, second, _ = found
    assert best.score == pytest.approx(1)
    assert best.parts.keys() == {"text", "text_rank", "vector", "vector_rank", "fusion"}
    expected = (1 / (60 + second.parts["text_rank"]) + 1 / (60 + second.parts["vector_rank"])) / (
        2 / 61
    )
    assert second.score == second.parts["fusion"] == pytest.approx(expected)


@on_sql
async def test_weights_decide_between_text_and_vectors(open_memory):
    memory = open_memory(embedder=Angles())
    await memory.add_many([text("tea 100"), text("rust 1")])
    by_text = await memory.search("tea 0", text_weight=3.0)
    by_vector = await memory.search("tea 0", vector_weight=3.0)
    assert words_of(by_text)[0] == "tea 100"
    assert words_of(by_vector)[0] == "rust 1"


@on_sql
async def test_filters_apply_before_ranking(open_memory):
    memory = open_memory(embedder=HashingEmbedder())
    await memory.add_many(
        [text("green tea", kind="hidden", number=number) for number in range(300)]
        + [text("a cup of black tea and many other words", kind="shown")]
    )
    shown = filters.metadata("kind").equals("shown")
    for mode in ("text", "vector", "hybrid"):
        found = await memory.search("green tea", mode=mode, where=shown, limit=1)
        assert words_of(found) == ["a cup of black tea and many other words"], mode


@on_sql
async def test_recency_and_importance_are_parts_of_the_score(open_memory, clock):
    options = SearchOptions(recency_half_life=timedelta(days=1), recency_weight=1.0)
    memory = open_memory(clock=clock, search=options)
    await memory.add_many([text("a tea"), NewItem(content=text("b tea"), importance=1.0)])
    clock.time += 86_400
    await memory.add(text("c tea"))
    first, *rest = await memory.search("tea")
    assert words_of([first]) == ["c tea"]
    assert first.parts["recency"] == 1
    assert [one.parts["recency"] for one in rest] == [0.5, 0.5]
    by_importance = await memory.search("tea", importance_weight=1.0, recency_weight=0.0)
    assert words_of(by_importance)[0] == "b tea"
    assert by_importance[0].parts["importance"] == 1


@on_sql
async def test_mmr_prefers_results_that_differ(open_memory):
    memory = open_memory(embedder=Angles())
    await memory.add_many([text("tea 0"), text("tea 1"), text("tea 2"), text("tea 60")])
    near = await memory.search("tea 0", mode="vector", limit=2)
    diverse = await memory.search("tea 0", mode="vector", limit=2, mmr=0.3)
    assert words_of(near) == ["tea 0", "tea 1"]
    assert words_of(diverse) == ["tea 0", "tea 60"]
    assert "mmr" in diverse[0].parts
    assert "tea 60" in words_of(await memory.search("tea", mode="text", limit=2, mmr=0.3))


@on_sql
async def test_namespaces_are_isolated_in_every_mode(open_memory):
    memory = open_memory(embedder=HashingEmbedder())
    ada, bob = memory.scoped(user="ada"), memory.scoped(user="bob")
    talk = ada.scoped(agent="cook", conversation="tuesday")
    await ada.add(text("tea of Ada"))
    await bob.add(text("tea of Bob"))
    await talk.add(text("tea of Tuesday"))
    for mode in ("text", "vector", "hybrid"):
        found = {
            name: set(words_of(await one.search("tea", mode=mode)))
            for name, one in (("ada", ada), ("bob", bob), ("talk", talk), ("all", memory))
        }
        assert found == {
            "ada": {"tea of Ada", "tea of Tuesday"},
            "bob": {"tea of Bob"},
            "talk": {"tea of Tuesday"},
            "all": {"tea of Ada", "tea of Bob", "tea of Tuesday"},
        }, mode
    assert words_of(await ada.search("tea", where=filters.USER.equals("bob"))) == []
    assert await ada.delete(filters.USER.equals("bob")) == 0
    (of_bob,) = await bob.items()
    assert await ada.get(of_bob.id) is None
    assert await ada.update(of_bob.id, importance=0.1) == []
    assert await ada.erase(of_bob.id) == await ada.delete(of_bob.id) == 0
    assert await ada.history(of_bob.id) == []
    await ada.clear()
    assert words_of(await memory.search("tea")) == ["tea of Bob"]
    assert ada.scope == Scope(user="ada")


@on_sql
async def test_changes_of_other_connections_are_seen_by_vector_searches(open_memory):
    one, other = open_memory(embedder=Angles()), open_memory(embedder=Angles())
    ids = await one.add_many([text("a 0"), text("b 10"), text("c 20")])
    assert words_of(await other.search("x 0", mode="vector")) == ["a 0", "b 10", "c 20"]
    await one.delete(ids[0])
    await one.update(ids[1], content=text("moved 90"))
    await one.add(text("d 5"))
    assert words_of(await other.search("x 0", mode="vector")) == ["d 5", "c 20", "moved 90"]
    await one.erase(ids[2])
    assert words_of(await other.search("x 0", mode="vector")) == ["d 5", "moved 90"]
    await one.clear()
    assert await other.search("x 0", mode="vector") == []
    await one.add(text("e 1"))
    assert words_of(await other.search("x 0", mode="vector")) == ["e 1"]


@on_sql
async def test_equal_texts_are_embedded_once(open_memory):
    embedder = Angles()
    memory = open_memory(embedder=embedder)
    await memory.add_many([text("tea 0"), text("tea 0"), text("tea 5")])
    await memory.add(text("tea 0"))
    assert embedder.calls == [["tea 0", "tea 5"]]
    again = Angles()
    memory = open_memory(embedder=again)
    await memory.add(text("tea 5"))
    assert again.calls == []


class Broken(Embedder):
    id = "broken"

    def __init__(self, vectors) -> None:
        self._vectors = vectors

    async def embed(self, texts, cancellation_token=None):
        return self._vectors


@pytest.mark.parametrize(
    "vectors",
    [
        [],
        [[1.0]],
        [[1.0], [2.0], [3.0]],
        [[1.0], [1.0, 2.0]],
        [[], []],
        [[float("nan")], [1.0]],
        ["ab", "cd"],
    ],
    ids=repr,
)
@on_sql
async def test_unusable_vectors_are_typed_errors_and_nothing_is_written(open_memory, vectors):
    memory = open_memory(embedder=Broken(vectors))
    with pytest.raises(EmbedderError):
        await memory.add_many([text("tea"), text("coffee")])
    assert await memory.items() == []


async def test_filtered_vector_searches_are_exact(open_memory):
    steps = (1, 3, 50, 700, 5000)
    memory = open_memory(embedder=HashingEmbedder(8))
    await memory.add_many(
        [
            text(f"tea {number * 7919 % 4001}", **{f"rest{step}": number % step for step in steps})
            for number in range(4000)
        ]
    )
    everything = await memory.search("tea 17", mode="vector", limit=4000)
    for rest in (f"rest{step}" for step in steps):
        wanted = [one.score for one in everything if one.item.content.metadata[rest] == 0][:5]
        chosen = filters.metadata(rest).equals(0)
        found = await memory.search("tea 17", mode="vector", limit=5, where=chosen)
        assert [one.score for one in found] == pytest.approx(wanted), rest
        assert all(one.item.content.metadata[rest] == 0 for one in found)
