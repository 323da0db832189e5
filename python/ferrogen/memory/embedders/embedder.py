"""The interface of embedders."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from pydantic import BaseModel

from ferrogen._core import CancellationToken
from ferrogen.components.component import ComponentBase


class Embedder(ABC, ComponentBase[BaseModel]):
    """Turns texts into vectors, so that texts of similar meaning have a large cosine.

    Vectors of different embedders cannot be compared. So each has an id, which a memory stores
    with its vectors: it names the model, and everything else that vectors depend on.

    Example:
        ```python
        import asyncio
        from collections.abc import Sequence

        from ferrogen import CancellationToken
        from ferrogen.memory import Embedder


        class Lengths(Embedder):
            id = "lengths"

            async def embed(
                self, texts: Sequence[str], cancellation_token: CancellationToken | None = None
            ) -> Sequence[Sequence[float]]:
                return [[len(text), text.count(" ") + 1] for text in texts]


        assert asyncio.run(Lengths().embed(["two words"])) == [[9, 2]]
        ```
    """

    __module__ = "ferrogen.memory"

    component_type = "embedder"

    id: str
    """Names the model and what else the vectors depend on."""

    @abstractmethod
    async def embed(
        self, texts: Sequence[str], cancellation_token: CancellationToken | None = None
    ) -> Sequence[Sequence[float]]:
        """Return a vector for each text, all of the same length.

        Args:
            texts: The texts to store.
            cancellation_token: Ends the computation.

        Raises:
            EmbedderError: There are no usable vectors.
        """

    async def embed_query(
        self, text: str, cancellation_token: CancellationToken | None = None
    ) -> Sequence[float]:
        """Return the vector to search with; by default that of a stored text.

        Args:
            text: The query.
            cancellation_token: Ends the computation.
        """
        (vector,) = await self.embed([text], cancellation_token)
        return vector

    async def close(self) -> None:
        """Release connections and models."""
