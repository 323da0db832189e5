"""Exact nearest neighbors among vectors in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from ferrogen._core import scaled_products
from ferrogen.exceptions import EmbedderError, MissingDependencyError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[numpy.float32]
    Mask: TypeAlias = NDArray[numpy.bool_]

# Fewer rows than this are compared as float32.
_SMALL = 4096
_SELECTIVE = 0.25
# With more, sums of products of int8 could exceed 32 bits.
_MOST_DIMENSIONS = 100_000


@cache
def numerics() -> Any:
    """Return numpy.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import numpy
    except ImportError as error:
        raise MissingDependencyError(
            "vectors in a memory need numpy: pip install 'ferrogen[memory]'; without an embedder "
            "a memory searches by text alone"
        ) from error
    return numpy


def packed(vectors: Sequence[Sequence[float]], embedder: str) -> list[bytes]:
    """Return vectors, scaled to length 1, as little-endian float32; zeros stay zeros.

    Raises:
        EmbedderError: They are empty, of different lengths, or not finite numbers.
    """
    np = numerics()
    if not len(vectors):
        return []
    try:
        values = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise EmbedderError(
            f"{embedder} returned vectors of different lengths, or not of numbers: {error}"
        ) from error
    if values.ndim != 2 or not values.shape[1] or not np.isfinite(values).all():
        raise EmbedderError(f"{embedder} returned empty vectors, or some that are not finite")
    # First by the largest value, so that squares of large ones are finite.
    largest = np.abs(values).max(axis=1, keepdims=True)
    values = values / np.where(largest == 0, 1, largest)
    lengths = np.linalg.norm(values, axis=1, keepdims=True)
    scaled = (values / np.where(lengths == 0, 1, lengths)).astype("<f4")
    return [row.tobytes() for row in scaled]


class VectorIndex:
    """Vectors of length 1 in one array, searched exactly, by one thread at a time.

    All vectors are compared as int8 first. The errors of that are bounded for each row, so the
    rows that can be among the nearest ones are known, and those are compared as float32: the
    result is exact.

    Args:
        dimensions: The length of the vectors.
    """

    def __init__(self, dimensions: int) -> None:
        np = numerics()
        self.dimensions = dimensions
        self._size = 0
        self._vectors: Floats = np.zeros((0, dimensions), np.float32)
        self._codes: NDArray[numpy.int8] = np.zeros((0, dimensions), np.int8)
        self._scales: Floats = np.zeros(0, np.float32)
        self._worst = 0.0
        """The largest distance of a vector from what its code stands for."""
        self._estimates: Floats = np.zeros(0, np.float32)
        """Where a search writes; kept, because new memory is slow when it is first written."""

    def __len__(self) -> int:
        return self._size

    @property
    def memory(self) -> int:
        """The bytes that it takes."""
        arrays = (self._vectors, self._codes, self._scales, self._estimates)
        return sum(array.nbytes for array in arrays)

    def append(self, vectors: Floats) -> None:
        """Add vectors after those that are there."""
        end = self._size + len(vectors)
        if end > len(self._vectors):
            self._reserve(max(end, len(self._vectors) * 3 // 2))
        for start in range(0, len(vectors), 8192):  # bounds the memory that it needs meanwhile
            self._write(self._size + start, vectors[start : start + 8192])
        self._size = end

    def keep(self, kept: Mask) -> None:
        """Remove the vectors that are not marked."""
        for name in ("_vectors", "_codes", "_scales"):
            setattr(self, name, getattr(self, name)[: self._size][kept])
        self._size = len(self._vectors)

    def rows(self, places: Iterable[int]) -> Floats:
        """Return some of the vectors."""
        chosen: Floats = self._vectors[list(places)]
        return chosen

    def nearest(
        self, query: Floats, limit: int, allowed: Mask | None = None
    ) -> list[tuple[int, float]]:
        """Return the places and cosines of the nearest vectors, the nearest first.

        Args:
            query: A vector of length 1.
            limit: How many to return.
            allowed: The places that may be returned; by default all.
        """
        np = numerics()
        places = None
        count = self._size
        if allowed is not None:
            places = np.flatnonzero(allowed)
            count = len(places)
            if count > self._size * _SELECTIVE:
                places = None
        if not count:
            return []
        if places is not None or self._size <= _SMALL or self.dimensions > _MOST_DIMENSIONS:
            vectors = self._vectors[: self._size] if places is None else self._vectors[places]
            scores = vectors @ query
            if places is None and allowed is not None:
                scores[~allowed] = -np.inf
            return _best(places, scores, min(limit, count))
        places = self._possible(query, min(limit, count), allowed)
        return _best(places, self._vectors[places] @ query, min(limit, count))

    def _possible(self, query: Floats, limit: int, allowed: Mask | None) -> Any:
        """Return the places that can be among the nearest ones, by their int8 codes."""
        np = numerics()
        scale = float(np.abs(query).max()) / 127 or 1.0
        code = np.rint(query / scale).astype(np.int8)
        if len(self._estimates) < self._size:
            self._estimates = np.empty(len(self._codes), np.float32)
        estimates = self._estimates[: self._size]  # in units of the scale of the query
        scaled_products(code, self._codes[: self._size], self._scales[: self._size], estimates)
        if allowed is not None:
            estimates[~allowed] = -np.inf
        # |q.x - q'.x'| <= |q'| |x - x'| + |q - q'| |x|, where |x| is 1; and float32 is rounded.
        restored = code * np.float32(scale)
        bound = float(np.linalg.norm(restored)) * self._worst + float(
            np.linalg.norm(query - restored)
        )
        threshold = np.partition(estimates, self._size - limit)[self._size - limit]
        return np.flatnonzero(estimates >= threshold - np.float32((2 * bound + 1e-4) / scale))

    def _reserve(self, size: int) -> None:
        np = numerics()
        for name in ("_vectors", "_codes", "_scales"):
            old = getattr(self, name)
            new = np.zeros((size, *old.shape[1:]), old.dtype)
            new[: self._size] = old[: self._size]
            setattr(self, name, new)

    def _write(self, start: int, vectors: Floats) -> None:
        np = numerics()
        end = start + len(vectors)
        self._vectors[start:end] = vectors
        scales = np.abs(vectors).max(axis=1) / np.float32(127)
        scales[scales == 0] = 1
        codes = np.rint(vectors / scales[:, None])
        self._codes[start:end] = codes
        self._scales[start:end] = scales
        errors = np.linalg.norm(vectors - codes * scales[:, None], axis=1)
        self._worst = max(self._worst, float(errors.max()))


def _best(places: Any, scores: Any, limit: int) -> list[tuple[int, float]]:
    np = numerics()
    limit = min(limit, len(scores))
    chosen = np.argpartition(scores, len(scores) - limit)[len(scores) - limit :]
    # Equal scores: the later place first, so that the order does not depend on the partition.
    chosen = chosen[np.lexsort((-chosen, -scores[chosen]))]
    found = chosen if places is None else places[chosen]
    return [
        (int(place), float(score))
        for place, score in zip(found, scores[chosen], strict=True)
        if score != -np.inf
    ]
