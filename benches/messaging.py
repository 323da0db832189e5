"""Measures what the features of messaging cost, beside what a user would write instead."""

from __future__ import annotations

import asyncio
from itertools import chain

import _messaging_rows as rows
from _measure import Result, announce, measure_chosen, options, save
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
    announce()
    results = await measure_chosen(__file__, chain(rows.requests(), rows.loads()), chosen)
    head = ["feature", "floor", "instead", "off", "on", "on / off", "instead / on", "spread"]
    show_table(head, map(as_cells, results))
    save(chosen.json, results)


if __name__ == "__main__":
    asyncio.run(main())
