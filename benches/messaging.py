"""Measures what the features of messaging cost, beside what a user would write instead."""

from __future__ import annotations

import asyncio
import gc
import sys
from itertools import chain

import _messaging_rows as rows
from _measure import Result, announce, choose, measure, measure_by_itself, options, save
from _tables import duration, show_table, times


def as_cells(result: Result) -> list[str]:
    """The cells of one row of the table."""
    has_other = "instead" in result.samples
    return [
        result.name,
        duration(result.median("floor")),
        duration(result.median("instead")) if has_other else "-",
        duration(result.median("off")),
        duration(result.median("ours")),
        times(result.ratio("ours", "off")),
        times(result.ratio("instead", "ours")) if has_other else "-",
        f"{max(result.spread('off'), result.spread('ours')):.0%}",
    ]


async def main() -> None:
    chosen = options(__doc__ or "")
    rounds, seconds = (5, 0.01) if chosen.quick else (9, 0.05)
    announce()
    gc.freeze()  # later collections do not scan what was imported
    results = []
    to_measure = choose(chain(rows.requests(), rows.loads()), chosen.only)
    for row in to_measure:
        if len(to_measure) == 1:
            results.append(await measure(row, rounds=rounds, seconds=seconds))
        else:
            results.append(measure_by_itself(__file__, row, quick=chosen.quick))
        print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    head = ["feature", "floor", "instead", "off", "on", "on / off", "instead / on", "spread"]
    show_table(head, map(as_cells, results))
    save(chosen.json, results)


if __name__ == "__main__":
    asyncio.run(main())
