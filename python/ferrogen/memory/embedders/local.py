"""Base class of embedders whose models are in folders on this machine."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from threading import Lock
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.exceptions import EmbedderError
from ferrogen.memory.embedders.embedder import Embedder

_READ = 1 << 20


def fingerprint(weights: Path) -> str:
    """Return a short text that differs between files of weights.

    The size, the beginning and the end of the file are read, so that it takes no time.

    Args:
        weights: The file.
    """
    size = weights.stat().st_size
    digest = blake2b(str(size).encode(), digest_size=6)
    with weights.open("rb") as file:
        digest.update(file.read(_READ))
        file.seek(max(0, size - _READ))
        digest.update(file.read(_READ))
    return digest.hexdigest()


class LocalEmbedder(Embedder):
    """Loads a model when it is first used, and computes vectors in a thread.

    Args:
        folder: The folder of the model.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._model: Any = None

    @abstractmethod
    def _load(self) -> Any:
        """Read the model."""

    @abstractmethod
    def _vectors(self, model: Any, texts: list[str]) -> Any:
        """Return the vectors of texts, as an array."""

    async def embed(
        self, texts: Sequence[str], cancellation_token: CancellationToken | None = None
    ) -> Any:
        """Return the vectors of texts, as an array; they are computed in a thread.

        Raises:
            EmbedderError: The model cannot be read.
        """
        if cancellation_token is not None and cancellation_token.is_cancelled():
            raise asyncio.CancelledError
        return await asyncio.to_thread(self._compute, list(texts))

    def _compute(self, texts: list[str]) -> Any:
        with self._lock:
            if self._model is None:
                try:
                    self._model = self._load()
                except Exception as error:
                    raise EmbedderError(
                        f"the model in {self._folder} cannot be read: {error}"
                    ) from error
            return self._vectors(self._model, texts)

    async def close(self) -> None:
        """Release the model."""
        with self._lock:
            self._model = None
