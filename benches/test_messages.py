"""What messages cost, as pytest-benchmark sees it: to keep, and to compare commits by.

One column is measured after the other here, so a ratio of two columns is worth less than one of
`runtime.py`, which interleaves them. Two runs of one column, on a quiet machine, can be compared.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from _measure import Row

import runtime

COUNT = 1_000
COLUMNS = ("floor", "upstream", "ours")
ROWS = [*runtime.sending(), *runtime.publishing()]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_message(benchmark: Any, row: Row, column: str) -> None:
    """Measures as many messages as make a round, a multiple of what the row does at once."""
    benchmark.group = row.name
    count = max(COUNT // row.step, 1) * row.step
    benchmark.extra_info["messages"] = count
    loop = asyncio.new_event_loop()
    stage = row.columns[column]()
    try:
        work = loop.run_until_complete(stage.__aenter__())
        benchmark.pedantic(lambda: loop.run_until_complete(work(count)), rounds=5, warmup_rounds=1)
        loop.run_until_complete(stage.__aexit__(None, None, None))
    finally:
        loop.close()
