"""The nearest vectors are exact, with simsimd and without it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ferrogen.exceptions import MissingDependencyError
from ferrogen.memory import HashingEmbedder, SqliteMemory, vectors

from .conftest import text


def unit_vectors(count, dimensions, seed, spread=1.0):
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((count, dimensions)) * spread + rng.standard_normal(dimensions)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(params=["simsimd", "numpy"])
def _library(request, monkeypatch):
    if request.param == "numpy":
        monkeypatch.setattr(vectors, "simd", lambda: None)


@pytest.mark.usefixtures("_library")
@pytest.mark.parametrize("spread", [1.0, 0.05])
@pytest.mark.parametrize("share", [None, 0.9, 0.3, 0.01, 0.0])
def test_the_nearest_vectors_are_exact(share, spread):
    stored = unit_vectors(9000, 96, 1, spread)
    index = vectors.VectorIndex(96)
    for start in range(0, 9000, 2500):
        index.append(stored[start : start + 2500])
    rng = np.random.default_rng(2)
    allowed = None if share is None else rng.random(9000) < share
    for query in unit_vectors(20, 96, 3, spread):
        exact = stored.astype(np.float64) @ query
        if allowed is not None:
            exact[~allowed] = -np.inf
        count = 9000 if allowed is None else int(allowed.sum())
        found = index.nearest(query, 10, allowed)
        assert len(found) == min(10, count)
        best = np.sort(exact)[::-1][: len(found)]
        assert [score for _, score in found] == pytest.approx(list(best), abs=1e-6)
        assert all(exact[place] == pytest.approx(score, abs=1e-6) for place, score in found)


@pytest.mark.usefixtures("_library")
def test_removed_vectors_are_not_found():
    stored = unit_vectors(6000, 32, 4)
    index = vectors.VectorIndex(32)
    index.append(stored)
    kept = np.arange(6000) % 3 > 0
    index.keep(kept)
    index.append(stored[~kept])
    assert len(index) == 6000
    found = index.nearest(stored[0], 1)
    assert found[0][0] == kept.sum()  # the first of those that were added again
    assert index.memory > 6000 * 32 * 4


def test_zeros_and_equal_vectors():
    index = vectors.VectorIndex(4)
    index.append(np.zeros((5000, 4), np.float32))
    index.append(np.array([[1, 0, 0, 0]] * 5, np.float32))
    query = np.array([1, 0, 0, 0], np.float32)
    assert index.nearest(query, 3) == [(5004, 1.0), (5003, 1.0), (5002, 1.0)]
    assert len(index.nearest(np.zeros(4, np.float32), 3)) == 3


async def test_without_numpy_vectors_are_a_typed_error_and_text_works(monkeypatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    vectors.numerics.cache_clear()
    memory = SqliteMemory(":memory:")
    await memory.add(text("tea"))
    assert len(await memory.search("tea")) == 1
    await memory.close()
    with pytest.raises(MissingDependencyError, match=r"ferrogen\[memory\]"):
        SqliteMemory(":memory:", embedder=HashingEmbedder())
    vectors.numerics.cache_clear()
