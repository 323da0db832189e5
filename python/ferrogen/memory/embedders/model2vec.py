"""Local embedder: static embeddings of model2vec."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._components.component import Component
from ferrogen._core import CancellationToken
from ferrogen.exceptions import EmbedderError, MissingDependencyError
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.embedders.fingerprint import fingerprint


class Model2VecEmbedderConfig(BaseModel):
    """The config of a `Model2VecEmbedder`."""

    folder: str


class Model2VecEmbedder(Embedder, Component[Model2VecEmbedderConfig]):
    """Looks vectors of tokens up in a table and averages them, some 100 times as fast as BERT.

    It needs the ``model2vec`` extra. Models are folders, as model2vec saves them; none is
    downloaded.

    Args:
        folder: The folder of the model.

    Raises:
        MissingDependencyError: The ``model2vec`` package is not installed.
        EmbedderError: The folder does not contain such a model.

    Example:
        ```python
        from ferrogen.memory import Model2VecEmbedder, SqliteMemory


        def fast_memory(path: str, folder: str) -> SqliteMemory:
            return SqliteMemory(path, embedder=Model2VecEmbedder(folder))
        ```
    """

    __module__ = "ferrogen.memory"

    component_config_schema = Model2VecEmbedderConfig
    component_provider_override = "ferrogen.memory.Model2VecEmbedder"

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        weights = self._folder / "model.safetensors"
        if not weights.is_file():
            raise EmbedderError(f"{folder} does not contain a model: model.safetensors missing")
        try:
            import model2vec
        except ImportError as error:
            raise MissingDependencyError(
                "a Model2VecEmbedder needs model2vec: pip install 'ferrogen[model2vec]'"
            ) from error
        self._load: Any = model2vec.StaticModel.from_pretrained
        self.id = f"model2vec/{self._folder.resolve().name}/{fingerprint(weights)}"
        self._model: Any = None
        self._lock = Lock()

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
                    self._model = self._load(str(self._folder))
                except Exception as error:
                    raise EmbedderError(
                        f"the model in {self._folder} cannot be read: {error}"
                    ) from error
            return self._model.encode(texts)

    async def close(self) -> None:
        """Release the table."""
        with self._lock:
            self._model = None

    def _to_config(self) -> Model2VecEmbedderConfig:
        return Model2VecEmbedderConfig(folder=str(self._folder))

    @classmethod
    def _from_config(cls, config: Model2VecEmbedderConfig) -> Self:
        return cls(config.folder)
