"""The stores that are measured, with the same texts, vectors and questions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from ferrogen.memory import (
    Embedder,
    LanceMemory,
    MemoryContent,
    NewItem,
    SqliteMemory,
    filters,
)

DIMENSIONS = 384
FOUND = 10
Search = Callable[[str], Awaitable[object]]


class RandomEmbedder(Embedder):
    """Gives each text a random vector, always the same."""

    id = f"random/{DIMENSIONS}"

    async def embed(self, texts: Sequence[str], cancellation_token: object = None) -> Any:
        return np.stack([vector_of(text) for text in texts])


def vector_of(text: str) -> Any:
    seed = int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little")
    vector = np.random.default_rng(seed).standard_normal(DIMENSIONS, dtype=np.float32)
    return vector / np.linalg.norm(vector)


class Store:
    """A store in a folder; one item in ten is of each group."""

    package = "ferrogen"
    """The package that it needs."""

    async def open(self, folder: Path) -> None:
        raise NotImplementedError

    async def add_many(self, texts: Sequence[str], first: int) -> None:
        """Adds items, numbered from the first one."""
        raise NotImplementedError

    async def add(self, text: str) -> None:
        raise NotImplementedError

    async def optimize(self) -> None:
        """Does what users are told to do after many additions."""

    async def prepare(self, questions: Sequence[str]) -> None:
        """Computes the vectors of questions, which is not measured."""

    def searches(self) -> dict[str, Search]:
        """Returns the kinds of search; `search` is by vector, `filtered` lets a tenth through."""
        raise NotImplementedError

    async def close(self) -> None:
        """Releases the folder."""


class OfMemory(Store):
    """A memory of Ferrogen."""

    memory: Any

    async def add_many(self, texts: Sequence[str], first: int) -> None:
        items = [
            NewItem(content=content_of(text, group=number % 10))
            for number, text in enumerate(texts, start=first)
        ]
        await self.memory.add_many(items)

    async def add(self, text: str) -> None:
        await self.memory.add(content_of(text))

    async def prepare(self, questions: Sequence[str]) -> None:
        for question in questions:
            await self.memory.search(question, mode="vector", limit=1)

    def searches(self) -> dict[str, Search]:
        third = filters.metadata("group").equals(3)

        def search(**options: Any) -> Search:
            return lambda question: self.memory.search(question, limit=FOUND, **options)

        return {
            "search": search(mode="vector"),
            "filtered": search(mode="vector", where=third),
            "text": search(mode="text"),
            "hybrid": search(mode="hybrid"),
        }

    async def close(self) -> None:
        await self.memory.close()


class OfSqliteMemory(OfMemory):
    async def open(self, folder: Path) -> None:
        self.memory = SqliteMemory(folder / "memory.sqlite", embedder=RandomEmbedder())


class OfLanceMemory(OfMemory):
    package = "lancedb"

    async def open(self, folder: Path) -> None:
        self.memory = LanceMemory(folder / "memory", embedder=RandomEmbedder())

    async def optimize(self) -> None:
        await self.memory.optimize()


class OfChroma(Store):
    package = "chromadb"

    async def open(self, folder: Path) -> None:
        import chromadb

        client = chromadb.PersistentClient(str(folder))
        self._collection: Any = client.create_collection(
            "items", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        self._vectors: dict[str, Any] = {}

    async def add_many(self, texts: Sequence[str], first: int) -> None:
        self._add([str(first + number) for number in range(len(texts))], texts, first)

    async def add(self, text: str) -> None:
        self._add([f"x{text}"], [text], 0)

    def _add(self, ids: Sequence[str], texts: Sequence[str], first: int) -> None:
        self._collection.add(
            ids=list(ids),
            documents=list(texts),
            metadatas=[{"group": (first + number) % 10} for number in range(len(texts))],
            embeddings=[vector_of(text) for text in texts],
        )

    async def prepare(self, questions: Sequence[str]) -> None:
        self._vectors = {question: vector_of(question).tolist() for question in questions}

    def searches(self) -> dict[str, Search]:
        async def search(question: str, where: dict[str, int] | None = None) -> None:
            vectors = [self._vectors[question]]
            self._collection.query(query_embeddings=vectors, n_results=FOUND, where=where)

        return {"search": search, "filtered": lambda question: search(question, {"group": 3})}


class OfLanceDb(Store):
    package = "lancedb"

    async def open(self, folder: Path) -> None:
        import lancedb
        import pyarrow as pa

        database = await lancedb.connect_async(str(folder))
        fields = [("id", pa.string()), ("text", pa.string()), ("group", pa.int64())]
        fields.append(("vector", pa.list_(pa.float32(), DIMENSIONS)))
        self._table: Any = await database.create_table("m", schema=pa.schema(fields))
        self._vectors: dict[str, Any] = {}

    async def add_many(self, texts: Sequence[str], first: int) -> None:
        await self._table.add(
            [
                {"id": str(n), "text": text, "group": n % 10, "vector": vector_of(text)}
                for n, text in enumerate(texts, start=first)
            ]
        )

    async def add(self, text: str) -> None:
        await self.add_many([text], 0)

    async def optimize(self) -> None:
        await self._table.optimize()

    async def prepare(self, questions: Sequence[str]) -> None:
        self._vectors = {question: vector_of(question) for question in questions}

    def searches(self) -> dict[str, Search]:
        async def search(question: str, where: str | None = None) -> None:
            query = (await self._table.search(self._vectors[question])).distance_type("cosine")
            if where is not None:
                query = query.where(where)
            await query.limit(FOUND).to_list()

        return {"search": search, "filtered": lambda question: search(question, "`group` = 3")}


def content_of(text: str, **metadata: object) -> MemoryContent:
    return MemoryContent(content=text, mime_type="text/plain", metadata=metadata or None)


STORES: dict[str, type[Store]] = {
    "SqliteMemory": OfSqliteMemory,
    "LanceMemory": OfLanceMemory,
    "chromadb": OfChroma,
    "lancedb": OfLanceDb,
}
