"""Searches in a memory, and their results."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from ferrogen.exceptions import MemoryQueryError
from ferrogen.memory.filters import Filter
from ferrogen.memory.items import MemoryItem

Mode: TypeAlias = Literal["auto", "text", "vector", "hybrid"]

_MODES = ("auto", "text", "vector", "hybrid")
_MOST = 10_000


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How a memory searches.

    Args:
        mode: ``"text"`` ranks by BM25, ``"vector"`` by the cosine of vectors, ``"hybrid"`` by
            both. ``"auto"`` is hybrid if the memory has an embedder, else text.
        limit: The most results.
        min_score: Results with a lower score are left out. Scores are BM25 (from 0), a cosine
            (from -1 to 1), or the fused ranks of a hybrid search (from 0 to 1).
        mmr: From 0 to 1: how much relevance counts against diversity (maximal marginal
            relevance), which needs vectors. By default results are not diversified.
        recency_half_life: The age, in seconds or as a timedelta, at which recency is one half.
        recency_weight: From 0 to 1: which part of a score is multiplied by the recency.
        importance_weight: From 0 to 1: which part of a score is multiplied by the importance.
        rrf_constant: The constant of reciprocal rank fusion.
        text_weight: How much the rank by BM25 counts in a hybrid search.
        vector_weight: How much the rank by cosine counts in a hybrid search.

    Raises:
        MemoryQueryError: An argument is out of range.

    Example:
        ```python
        from datetime import timedelta

        from ferrogen.memory import SearchOptions

        recent = SearchOptions(limit=3, recency_half_life=timedelta(days=7), recency_weight=0.5)
        assert recent.mode == "auto"
        ```
    """

    mode: Mode = "auto"
    limit: int = 5
    min_score: float | None = None
    mmr: float | None = None
    recency_half_life: float | timedelta | None = None
    recency_weight: float = 0.3
    importance_weight: float = 0.0
    rrf_constant: float = 60.0
    text_weight: float = 1.0
    vector_weight: float = 1.0

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise MemoryQueryError(f"mode is one of {', '.join(_MODES)}, not {self.mode!r}")
        limit: Any = self.limit
        whole = isinstance(limit, int) and not isinstance(limit, bool)
        if not whole or not 1 <= self.limit <= _MOST:
            raise MemoryQueryError(f"limit is from 1 to {_MOST:,}, not {self.limit!r}")
        for name in ("mmr", "recency_weight", "importance_weight"):
            _check(name, getattr(self, name), 0, 1, optional=name == "mmr")
        for name in ("text_weight", "vector_weight", "rrf_constant"):
            _check(name, getattr(self, name), 0, 1e6)
        if self.text_weight == self.vector_weight == 0:
            raise MemoryQueryError("text_weight and vector_weight must not both be 0")
        _check("min_score", self.min_score, -1e9, 1e9, optional=True)
        half_life = self.half_life_seconds
        if half_life is not None and half_life == 0:
            raise MemoryQueryError("recency_half_life must be above 0")

    @property
    def half_life_seconds(self) -> float | None:
        """The half-life of recency in seconds."""
        half_life = self.recency_half_life
        if isinstance(half_life, timedelta):
            half_life = half_life.total_seconds()
        _check("recency_half_life", half_life, 0, 1e12, optional=True)
        return half_life

    def changed(self, **changes: Any) -> SearchOptions:
        """Return options with some of them replaced; those that are None are kept.

        Raises:
            MemoryQueryError: There is no such option, or it is out of range.
        """
        unknown = changes.keys() - SearchOptions.__dataclass_fields__.keys()
        if unknown:
            known = ", ".join(SearchOptions.__dataclass_fields__)
            raise MemoryQueryError(
                f"a search has no option {', '.join(sorted(unknown))}; it has {known}"
            )
        return replace(self, **{name: one for name, one in changes.items() if one is not None})


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """An item that was found, with its score and where the score is from.

    Args:
        item: The item, with its provenance.
        score: The score, by which results are ordered.
        parts: The parts of the score: ``text`` (BM25), ``text_rank``, ``vector`` (cosine),
            ``vector_rank``, ``fusion``, ``recency``, ``importance``, as far as they were used.

    Example:
        ```python
        import asyncio

        from ferrogen.memory import MemoryContent, SqliteMemory


        async def main() -> None:
            memory = SqliteMemory(":memory:")
            await memory.add(MemoryContent(content="likes green tea", mime_type="text/plain"))
            (result,) = await memory.search("which tea?")
            assert result.parts["text"] == result.score > 0
            await memory.close()


        asyncio.run(main())
        ```
    """

    item: MemoryItem
    score: float
    parts: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Search:
    """A search as a store executes it.

    Args:
        text: The query.
        where: A filter.
        options: How to search.
        at: The time whose knowledge is searched; by default the present.
    """

    text: str
    options: SearchOptions
    where: Filter | None = None
    at: datetime | None = None


def _check(name: str, value: Any, low: float, high: float, *, optional: bool = False) -> None:
    if value is None and optional:
        return
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise MemoryQueryError(f"{name} is a number from {low:g} to {high:g}, not {value!r}")
