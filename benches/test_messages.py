"""The cost of messages by pytest-benchmark: to save, and to compare commits.

One column is measured after the other here, so a ratio of two columns is less reliable than one of
`runtime.py`, which interleaves them. Two runs of one column, on a quiet machine, can be compared.
"""

from __future__ import annotations

import asyncio
from typing import Any

import _runtime_rows
import pytest
from _measure import Row

COUNT = 1_000
COLUMNS = ("floor", "upstream", "ours")
ROWS = [*_runtime_rows.sending(), *_runtime_rows.observing(), *_runtime_rows.publishing()]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_message(benchmark: Any, row: Row, column: str) -> None:
    """Measures as many messages as make a round, a multiple of what the row does at once."""
    benchmark.group = row.name
    count = max(COUNT // row.step, 1) * row.step
    benchmark.extra_info["messages"] = count
    loop = asyncio.new_event_loop()
    column_setup = row.columns[column]()
    try:
        work = loop.run_until_complete(column_setup.__aenter__())
        benchmark.pedantic(lambda: loop.run_until_complete(work(count)), rounds=5, warmup_rounds=1)
        loop.run_until_complete(column_setup.__aexit__(None, None, None))
    finally:
        loop.close()
