"""The nearest vectors are exact."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from ferrogen._core import scaled_products
from ferrogen.exceptions import MissingDependencyError
from ferrogen.memory import HashingEmbedder, SqliteMemory, vectors

from .conftest import text


def unit_vectors(count, dimensions, seed, spread=1.0):
    rng = np.random.default_rng(seed)
    found = rng.standard_normal((count, dimensions)) * spread + rng.standard_normal(dimensions)
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


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


@pytest.mark.parametrize("dimensions", [1, 7, 16, 31, 384, 1000])
@pytest.mark.parametrize("count", [1, 2, 300])
def test_products_of_bytes_are_exact(count, dimensions):
    rng = np.random.default_rng(dimensions)
    rows = rng.integers(-128, 128, (count, dimensions), np.int8)
    rows[0] = -128
    query = rng.integers(-128, 128, dimensions, np.int8)
    scales = rng.random(count, np.float32)
    out = np.empty(count, np.float32)
    scaled_products(query, rows, scales, out)
    exact = rows.astype(np.int64) @ query.astype(np.int64)
    assert list(out) == list(exact.astype(np.float32) * scales)


def test_products_with_an_empty_table():
    empty = np.zeros(0, np.float32)
    scaled_products(np.zeros(8, np.int8), np.zeros((0, 8), np.int8), empty, empty)


def test_products_of_unsuitable_arrays_are_refused():
    rows, scales = np.zeros((4, 8), np.int8), np.zeros(4, np.float32)
    query, out = np.zeros(8, np.int8), np.zeros(4, np.float32)
    constant = out.copy()
    constant.flags.writeable = False
    for arguments in (
        (query[:4], rows, scales, out),
        (query[:0], rows[:, :0], scales, out),
        (query, rows[:2], scales, out),
        (query, rows, scales, out[:2]),
        (query, rows[:, ::2], np.zeros(2, np.float32), np.zeros(2, np.float32)),
        (query, rows, scales, constant),
        (query, rows, np.zeros(8, np.float32)[::2], out),
        (np.zeros(100_001, np.int8), np.zeros((4, 100_001), np.int8), scales, out),
        (query, rows, scales, scales),
        (query, rows, scales, rows.reshape(-1)[:16].view(np.float32)),
    ):
        with pytest.raises((ValueError, BufferError)):
            scaled_products(*arguments)
    for wrong in (query.astype(np.float32), query.astype(np.uint8), b"12345678", None):
        with pytest.raises((TypeError, BufferError)):
            scaled_products(wrong, rows, scales, out)


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
