"""Tables of results, in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _measure import Result


def duration(seconds: float) -> str:
    """Formats a duration with three digits and its unit."""
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if abs(seconds) >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def times(ratio: float) -> str:
    """Formats a ratio."""
    return f"{_three_digits(ratio)} x"


def _three_digits(number: float) -> str:
    if abs(number) >= 99.95:
        return f"{number:,.0f}"
    return f"{number:.1f}" if abs(number) >= 9.995 else f"{number:.2f}"


def show_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Prints an aligned Markdown table; all but the first column are numbers."""
    lines = [list(head), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    for line in (lines[0], rule, *lines[1:]):
        first, *others = line
        cells = [f"{first:<{widths[0]}}"]
        cells += [f"{cell:>{width}}" for cell, width in zip(others, widths[1:], strict=True)]
        print(f"| {' | '.join(cells)} |")
    print()


def show_beside_bound(what: str, results: Sequence[Result]) -> None:
    """Prints the floor, upstream, ours, and upstream over the floor: the largest possible ratio."""
    columns = ("floor", "upstream", "ours")
    show_table(
        [what, *columns, "x upstream", "x floor", "bound", "spread"],
        [
            [
                result.name,
                *(duration(result.median(column)) for column in columns),
                times(result.ratio("upstream", "ours")),
                times(result.ratio("ours", "floor")),
                times(result.ratio("upstream", "floor")),
                f"{max(result.spread('upstream'), result.spread('ours')):.0%}",
            ]
            for result in results
        ],
    )


def show_bounds(results: Iterable[Result]) -> None:
    """Prints the bounds of `engine.md` beside what was measured in the same rounds."""
    rows = []
    for result in results:
        for bound in result.bounds:
            measured = result.against(bound)
            rows.append(
                [
                    result.name,
                    duration(result.median("ours")),
                    bound.name,
                    duration(result.reference(bound)),
                    _limit(bound.most, bound.is_difference),
                    _limit(measured, bound.is_difference),
                    "yes" if measured <= bound.most else "NO",
                ]
            )
    if rows:
        show_table(["bound", "ours", "reference", "its time", "at most", "measured", "met"], rows)


def _limit(value: float, is_difference: bool) -> str:
    if not is_difference:
        return times(value)
    return ("+" if value >= 0 else "") + duration(value)
