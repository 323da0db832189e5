"""Deterministic embedder without a model."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import sqrt

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.component import Component
from ferrogen.exceptions import EmbedderError
from ferrogen.memory.embedders.embedder import Embedder

# What takes a few milliseconds; longer texts would block the event loop.
_CHARACTERS_INLINE = 2_000
_WORD = re.compile(r"\w+")


class HashingEmbedderConfig(BaseModel):
    """The config of a `HashingEmbedder`."""

    dimensions: int = 256


class HashingEmbedder(Embedder, Component[HashingEmbedderConfig]):
    """Counts words, and parts of words, at hashed places of a vector.

    It is for tests, and for similarity of spelling: words that are written alike are near, and
    synonyms are not. It needs no package and no model, and gives the same vectors everywhere.

    Args:
        dimensions: The length of the vectors.

    Raises:
        EmbedderError: The number of dimensions is not from 1 to 65,536.

    Example:
        ```python
        import asyncio
        from collections.abc import Sequence

        from ferrogen.memory import HashingEmbedder

        tea, teas, rust = asyncio.run(HashingEmbedder().embed(["green tea", "green teas", "rust"]))


        def cosine(a: Sequence[float], b: Sequence[float]) -> float:
            return sum(x * y for x, y in zip(a, b))


        assert cosine(tea, teas) > 0.5 > cosine(tea, rust)
        ```
    """

    __module__ = "ferrogen.memory"

    component_config_schema = HashingEmbedderConfig
    component_provider_override = "ferrogen.memory.HashingEmbedder"

    def __init__(self, dimensions: int = 256) -> None:
        if not 1 <= dimensions <= 65_536:
            raise EmbedderError(f"dimensions are from 1 to 65,536, not {dimensions}")
        self._dimensions = dimensions
        self.id = f"ferrogen/hashing-1/{dimensions}"

    async def embed(
        self, texts: Sequence[str], cancellation_token: CancellationToken | None = None
    ) -> list[list[float]]:
        """Return a vector of length 1 for each text; zeros for a text without words."""
        if sum(map(len, texts)) > _CHARACTERS_INLINE:
            return await asyncio.to_thread(self._vectors, texts)
        return self._vectors(texts)

    def _vectors(self, texts: Sequence[str]) -> list[list[float]]:
        return [self._vector(text) for text in texts]

    def _vector(self, text: str) -> list[float]:
        vector = [0.0] * self._dimensions
        for feature, weight in _features(text):
            digest = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "little")
            sign = 1 if digest & 1 else -1
            vector[(digest >> 1) % self._dimensions] += sign * weight
        length = sqrt(sum(value * value for value in vector))
        return [value / length for value in vector] if length else vector

    def _to_config(self) -> HashingEmbedderConfig:
        return HashingEmbedderConfig(dimensions=self._dimensions)

    @classmethod
    def _from_config(cls, config: HashingEmbedderConfig) -> Self:
        return cls(config.dimensions)


def _features(text: str) -> Iterator[tuple[str, float]]:
    for match in _WORD.finditer(text.casefold()):
        word = match[0]
        yield word, 1.0
        marked = f"<{word}>"
        parts = [marked[start : start + 3] for start in range(len(marked) - 2)]
        for part in parts:
            yield part, 1.0 / sqrt(len(parts))
