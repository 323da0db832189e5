"""The stores that are measured, with the same texts, vectors and questions."""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from _measure import resident

from ferrogen.memory import (
    Embedder,
    MemoryContent,
    NewItem,
    SqliteMemory,
    filters,
)

DIMENSIONS = 384
STORES = {"SqliteMemory": None, "chromadb": "chromadb", "lancedb": "lancedb"}
"""The package that each store needs."""

_BATCH = 1000
_WORDS = [f"word{number}" for number in range(20_000)]
Figures = dict[str, float]


class RandomEmbedder(Embedder):
    """Gives each text a random vector, always the same."""

    id = f"random/{DIMENSIONS}"

    async def embed(self, texts: Sequence[str], cancellation_token: object = None) -> Any:
        return np.stack([vector_of(text) for text in texts])


def vector_of(text: str) -> Any:
    seed = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
    vector = np.random.default_rng(seed).standard_normal(DIMENSIONS, dtype=np.float32)
    return vector / np.linalg.norm(vector)


def texts_of(count: int, seed: int) -> list[str]:
    """Returns texts of 12 words, whose frequencies are those of a language."""
    chance = random.Random(seed)
    ranks = [1 / (rank + 3) for rank in range(len(_WORDS))]
    words = chance.choices(_WORDS, ranks, k=12 * count)
    return [" ".join(words[12 * n : 12 * n + 12]) for n in range(count)]


def measured(store: str, size: int, folder: Path, queries: int) -> Figures:
    """Fills a store and searches in it; returns the figures."""
    measure = {"SqliteMemory": of_memory, "chromadb": of_chroma, "lancedb": of_lance}[store]
    return asyncio.run(measure(size, folder, queries))


async def times(work: Callable[[str], Awaitable[object]], texts: Sequence[str]) -> list[float]:
    found = []
    for text in texts:
        start = time.perf_counter()
        await work(text)
        found.append((time.perf_counter() - start) * 1000)
    return found


def p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def on_disk(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20


async def of_memory(size: int, folder: Path, queries: int) -> Figures:
    texts, questions = texts_of(size, 1), texts_of(queries, 2)
    figures: Figures = {}
    gc.collect()
    before = resident()
    async with SqliteMemory(folder / "memory.sqlite", embedder=RandomEmbedder()) as memory:
        start = time.perf_counter()
        for begin in range(0, size, _BATCH):
            await memory.add_many(
                [
                    NewItem(
                        content=MemoryContent(
                            content=text, mime_type="text/plain", metadata={"group": number % 10}
                        )
                    )
                    for number, text in enumerate(texts[begin : begin + _BATCH], start=begin)
                ]
            )
        figures["bulk"] = size / (time.perf_counter() - start)

        async def add(text: str) -> None:
            await memory.add(MemoryContent(content=text, mime_type="text/plain"))

        added = await times(add, texts_of(100, 3))
        figures |= {"add": statistics.median(added), "add p99": p99(added)}
        start = time.perf_counter()
        await memory.search(questions[0], mode="vector")  # reads the vectors into memory
        figures["first"] = time.perf_counter() - start
        third = filters.metadata("group").equals(3)
        for name, options in {
            "search": {"mode": "vector"},
            "filtered": {"mode": "vector", "where": third},
            "text": {"mode": "text"},
            "hybrid": {},
        }.items():
            # Vectors of questions are computed beforehand, as for the other stores.
            for question in questions:
                await memory._storage.vectors.vectorizer.query(question)
            some = questions if name in {"search", "text"} else questions[: max(20, queries // 4)]
            found = await times(
                lambda text, use=options: memory.search(text, limit=10, **use), some
            )
            figures[name] = statistics.median(found)
            if name == "search":
                figures["search p99"] = p99(found)
        gc.collect()
        figures["memory"] = (resident() - before) / 2**20
    figures["disk"] = on_disk(folder)
    return figures


async def of_chroma(size: int, folder: Path, queries: int) -> Figures:
    import chromadb

    texts, questions = texts_of(size, 1), texts_of(queries, 2)
    vectors = {question: vector_of(question).tolist() for question in questions}
    gc.collect()
    before = resident()
    client = chromadb.PersistentClient(str(folder))
    collection = client.create_collection(
        "items", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
    )
    start = time.perf_counter()
    for begin in range(0, size, _BATCH):
        some = texts[begin : begin + _BATCH]
        collection.add(
            ids=[str(begin + number) for number in range(len(some))],
            documents=some,
            metadatas=[{"group": (begin + number) % 10} for number in range(len(some))],
            embeddings=[vector_of(text) for text in some],
        )
    figures: Figures = {"bulk": size / (time.perf_counter() - start)}

    async def add(text: str) -> None:
        collection.add(
            ids=[f"x{text}"],
            documents=[text],
            metadatas=[{"group": 0}],
            embeddings=[vector_of(text)],
        )

    added = await times(add, texts_of(100, 3))
    figures |= {"add": statistics.median(added), "add p99": p99(added)}

    async def search(text: str, where: dict[str, int] | None = None) -> None:
        collection.query(query_embeddings=[vectors[text]], n_results=10, where=where)

    start = time.perf_counter()
    await search(questions[0])
    figures["first"] = time.perf_counter() - start
    found = await times(search, questions)
    figures |= {"search": statistics.median(found), "search p99": p99(found)}
    some = questions[: max(20, queries // 4)]
    filtered = await times(lambda text: search(text, {"group": 3}), some)
    figures["filtered"] = statistics.median(filtered)
    gc.collect()
    figures["memory"] = (resident() - before) / 2**20
    figures["disk"] = on_disk(folder)
    return figures


async def of_lance(size: int, folder: Path, queries: int) -> Figures:
    import lancedb
    import pyarrow as pa

    texts, questions = texts_of(size, 1), texts_of(queries, 2)
    vectors = {question: vector_of(question) for question in questions}
    gc.collect()
    before = resident()
    database = await lancedb.connect_async(str(folder))
    schema = pa.schema(
        [
            ("id", pa.string()),
            ("text", pa.string()),
            ("group", pa.int64()),
            ("vector", pa.list_(pa.float32(), DIMENSIONS)),
        ]
    )
    table = await database.create_table("m", schema=schema)
    start = time.perf_counter()
    for begin in range(0, size, _BATCH):
        some = texts[begin : begin + _BATCH]
        await table.add(
            [
                {"id": str(n), "text": text, "group": n % 10, "vector": vector_of(text)}
                for n, text in enumerate(some, start=begin)
            ]
        )
    figures: Figures = {"bulk": size / (time.perf_counter() - start)}

    async def add(text: str) -> None:
        await table.add([{"id": text, "text": text, "group": 0, "vector": vector_of(text)}])

    added = await times(add, texts_of(30, 3))
    figures |= {"add": statistics.median(added), "add p99": p99(added)}
    await table.optimize()

    async def search(text: str) -> None:
        await (await table.search(vectors[text])).distance_type("cosine").limit(10).to_list()

    async def filtered(text: str) -> None:
        query = (await table.search(vectors[text])).distance_type("cosine").where("`group` = 3")
        await query.limit(10).to_list()

    start = time.perf_counter()
    await search(questions[0])
    figures["first"] = time.perf_counter() - start
    found = await times(search, questions)
    figures |= {"search": statistics.median(found), "search p99": p99(found)}
    some = questions[: max(20, queries // 4)]
    figures["filtered"] = statistics.median(await times(filtered, some))
    gc.collect()
    figures["memory"] = (resident() - before) / 2**20
    figures["disk"] = on_disk(folder)
    return figures
