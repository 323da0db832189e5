"""Vectors of texts for a memory: packed, in batches, cached by content."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from ferrogen._core import CancellationToken
from ferrogen.exceptions import EmbedderError
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.vectors import packed


class Vectorizer:
    """Asks an embedder for vectors of length 1, each text once.

    Args:
        embedder: The embedder.
        batch: How many texts it gets at once.
        cached: How many vectors are kept.
    """

    def __init__(self, embedder: Embedder, batch: int = 64, cached: int = 1024) -> None:
        self.embedder = embedder
        self._batch = batch
        self._most = cached
        self._cache: OrderedDict[tuple[bool, str], bytes] = OrderedDict()

    async def stored(
        self, texts: Sequence[str], token: CancellationToken | None = None
    ) -> list[bytes]:
        """Return the vectors of texts to store.

        Raises:
            EmbedderError: The embedder has returned something else.
        """
        found: dict[str, bytes] = {}
        for text in texts:
            cached = self._cached(False, text)
            if cached is not None:
                found[text] = cached
        missing = [text for text in dict.fromkeys(texts) if text not in found]
        for start in range(0, len(missing), self._batch):
            some = missing[start : start + self._batch]
            vectors = await self.embedder.embed(some, token)
            if len(vectors) != len(some):
                raise EmbedderError(
                    f"{self.embedder.id} returned {len(vectors)} vectors for {len(some)} texts"
                )
            for text, vector in zip(some, packed(vectors, self.embedder.id), strict=True):
                found[text] = self._keep(False, text, vector)
        if len({len(vector) for vector in found.values()}) > 1:
            raise EmbedderError(f"{self.embedder.id} returned vectors of different lengths")
        return [found[text] for text in texts]

    async def query(self, text: str, token: CancellationToken | None = None) -> bytes:
        """Return the vector of a query."""
        cached = self._cached(True, text)
        if cached is not None:
            return cached
        (vector,) = packed([await self.embedder.embed_query(text, token)], self.embedder.id)
        return self._keep(True, text, vector)

    def forget(self) -> None:
        """Empty the cache."""
        self._cache.clear()

    def _cached(self, is_query: bool, text: str) -> bytes | None:
        key = (is_query, text)
        if key not in self._cache:
            return None
        self._cache.move_to_end(key)
        return self._cache[key]

    def _keep(self, is_query: bool, text: str, vector: bytes) -> bytes:
        self._cache[is_query, text] = vector
        while len(self._cache) > self._most:
            self._cache.popitem(last=False)
        return vector
