"""Measures what one message costs: the floor, upstream, Ferrogen, and Ferrogen in task mode."""

from __future__ import annotations

import asyncio
from itertools import chain

import _runtime_rows as rows
from _measure import Result, announce, measure_chosen, options, save
from _tables import duration, show_bounds, show_table, times

GROUPS = (
    rows.sending,
    rows.observing,
    rows.intercepting,
    rows.counting,
    rows.limiting,
    rows.publishing,
    rows.many_recipients,
    rows.mixing,
    rows.activating,
)

# What asyncio itself and a hand-written actor take for a request and its response.
IMPLEMENTATIONS = {
    "bare await": "floor",
    "create_task and await": "task",
    "asyncio.Queue actor": "actor",
    "upstream": "upstream",
    "ours": "ours",
    "ours, task mode": "task mode",
}


def as_cells(result: Result) -> list[str]:
    """The cells of one row of the table."""
    known = result.samples
    floor = f"{duration(result.median('floor'))}" if "floor" in known else "-"
    return [
        result.name,
        floor,
        duration(result.median("upstream")),
        duration(result.median("ours")),
        duration(result.median("task mode")) if "task mode" in known else "-",
        times(result.ratio("upstream", "ours")),
        times(result.ratio("ours", "floor")) if "floor" in known else "-",
        f"{max(result.spread('upstream'), result.spread('ours')):.0%}",
    ]


def show_implementations(result: Result) -> None:
    """Prints what a request and its response cost by each implementation."""
    show_table(
        ["request and response", "time", "ours is", "spread"],
        [
            [
                name,
                duration(result.median(column)),
                times(result.ratio(column, "ours")) + " as fast",
                f"{result.spread(column):.0%}",
            ]
            for name, column in IMPLEMENTATIONS.items()
        ],
    )


async def main() -> None:
    chosen = options(__doc__ or "")
    announce()
    results = await measure_chosen(
        __file__, chain.from_iterable(group() for group in GROUPS), chosen
    )
    head = ["scenario", "floor", "upstream", "ours", "task mode"]
    show_table([*head, "x upstream", "x floor", "spread"], map(as_cells, results))
    show_bounds(results)
    for result in results:
        if "actor" in result.samples:
            show_implementations(result)
    save(chosen.json, results)


if __name__ == "__main__":
    asyncio.run(main())
