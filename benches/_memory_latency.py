"""How long stores take to add and to search, and how large they are."""

from __future__ import annotations

import asyncio
import gc
import random
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from _measure import resident
from _memory_stores import STORES

_BATCH = 1000
_ADDED_SINGLY = 100
_WORDS = [f"word{number}" for number in range(20_000)]
Figures = dict[str, float]


def texts_of(count: int, seed: int) -> list[str]:
    """Returns texts of 12 words, whose frequencies are those of a language."""
    chance = random.Random(seed)
    ranks = [1 / (rank + 3) for rank in range(len(_WORDS))]
    words = chance.choices(_WORDS, ranks, k=12 * count)
    return [" ".join(words[12 * n : 12 * n + 12]) for n in range(count)]


def measured(store: str, size: int, folder: Path, queries: int) -> Figures:
    """Fills a store and searches in it; returns the figures."""
    return asyncio.run(_measured(store, size, folder, queries))


async def _measured(name: str, size: int, folder: Path, queries: int) -> Figures:
    texts, questions = texts_of(size, 1), texts_of(queries, 2)
    some = questions[: max(20, queries // 4)]
    gc.collect()
    before = resident()
    store = STORES[name]()
    await store.open(folder)
    start = time.perf_counter()
    for begin in range(0, size, _BATCH):
        await store.add_many(texts[begin : begin + _BATCH], begin)
    figures: Figures = {"bulk": size / (time.perf_counter() - start)}
    added, _ = await times(store.add, texts_of(_ADDED_SINGLY, 3))
    figures |= {"add": statistics.median(added), "add p99": p99(added)}
    await store.optimize()
    start = time.perf_counter()
    await store.prepare(questions[:1])
    for kind, search in store.searches().items():
        if kind == "search":
            await search(questions[0])  # what is read into memory by the first one
            figures["first"] = time.perf_counter() - start
            await store.prepare(questions)
        found, cpu = await times(search, questions if kind in {"search", "text"} else some)
        figures[kind] = statistics.median(found)
        if kind == "search":
            figures |= {"search p99": p99(found), "search CPU": statistics.median(cpu)}
    gc.collect()
    figures["memory"] = (resident() - before) / 2**20
    await store.close()
    figures["disk"] = on_disk(folder)
    return figures


async def times(
    work: Callable[[str], Awaitable[object]], texts: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Returns the milliseconds of each call, by the clock and of all processors."""
    elapsed, used = [], []
    for text in texts:
        cpu, start = time.process_time(), time.perf_counter()
        await work(text)
        elapsed.append((time.perf_counter() - start) * 1000)
        used.append((time.process_time() - cpu) * 1000)
    return elapsed, used


def p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def on_disk(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 2**20
