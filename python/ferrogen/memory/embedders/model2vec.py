"""Local embedder: static embeddings of model2vec."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.exceptions import EmbedderError, MissingDependencyError
from ferrogen.memory.embedders.local import LocalEmbedder, fingerprint


class Model2VecEmbedderConfig(BaseModel):
    """The config of a `Model2VecEmbedder`."""

    folder: str


class Model2VecEmbedder(LocalEmbedder, Component[Model2VecEmbedderConfig]):
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
        super().__init__(Path(folder))
        weights = self._folder / "model.safetensors"
        if not weights.is_file():
            raise EmbedderError(f"{folder} does not contain a model: model.safetensors missing")
        try:
            import model2vec
        except ImportError as error:
            raise MissingDependencyError(
                "a Model2VecEmbedder needs model2vec: pip install 'ferrogen[model2vec]'"
            ) from error
        self._from_pretrained: Any = model2vec.StaticModel.from_pretrained
        self.id = f"model2vec/{self._folder.resolve().name}/{fingerprint(weights)}"

    def _load(self) -> Any:
        return self._from_pretrained(str(self._folder))

    def _vectors(self, model: Any, texts: list[str]) -> Any:
        return model.encode(texts)

    def _to_config(self) -> Model2VecEmbedderConfig:
        return Model2VecEmbedderConfig(folder=str(self._folder))

    @classmethod
    def _from_config(cls, config: Model2VecEmbedderConfig) -> Self:
        return cls(config.folder)
