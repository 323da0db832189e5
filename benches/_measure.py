"""How a bench measures: interleaved rounds, medians, and a table. What is measured, a bench says.

A row has columns, such as the floor, upstream and ours. Each round takes every column once, so that
whatever slows the machine down for a while slows all of them down; ratios are taken within a round.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

Work = Callable[[int], Awaitable[None]]
"""Does something that many times."""

Clock = Callable[[], float]
"""Tells the time, in seconds from any point on."""

Make = Callable[[], AbstractAsyncContextManager[Work]]
"""Builds what the work needs, and takes it down again."""


@dataclass
class Row:
    """One scenario, with a way to do it for each column.

    Args:
        name: What the scenario does, once.
        columns: The ways to do it.
        floor: What the floor does.
        step: The work is done in multiples of so many.
        exactly: How many times a column does it in a round, where more of it would change what is
            measured. Every round of such a row has a world that was not used before.
    """

    name: str
    columns: Mapping[str, Make]
    floor: str = ""
    step: int = 1
    exactly: Mapping[str, int] = field(default_factory=dict)


@dataclass
class Result:
    """The seconds (or bytes) that each column took for one of a row's actions, round by round."""

    name: str
    samples: dict[str, list[float]]
    floor: str = ""

    def median(self, column: str) -> float:
        return statistics.median(self.samples[column])

    def ratio(self, column: str, to: str) -> float:
        """How many times a column is another one: the median over the rounds."""
        pairs = zip(self.samples[column], self.samples[to], strict=True)
        return statistics.median(one / other for one, other in pairs)

    def spread(self, column: str) -> float:
        """How far apart the quartiles are, as a part of the median."""
        samples = self.samples[column]
        if len(samples) < 2:
            return 0.0
        low, _, high = statistics.quantiles(samples, n=4, method="inclusive")
        return (high - low) / self.median(column)


async def measure(
    row: Row, *, rounds: int, seconds: float, clock: Clock = time.perf_counter
) -> Result:
    """Measures one row: each column works for about so many seconds a round.

    Args:
        row: What is measured.
        rounds: How often every column is measured.
        seconds: For about how long each time.
        clock: What tells the time. For work that never waits, the time of the processor leaves out
            what other programs take.
    """
    samples: dict[str, list[float]] = {name: [] for name in row.columns}
    async with AsyncExitStack() as stack:
        works: dict[str, Work] = {}
        counts = dict(row.exactly)
        if not row.exactly:
            for name, make in row.columns.items():
                works[name] = await stack.enter_async_context(make())
                counts[name] = await _fitting(works[name], seconds, row.step, clock)
        for _ in range(rounds):
            for name, make in row.columns.items():
                if row.exactly:
                    async with make() as work:
                        samples[name].append(await _timed(work, counts[name], clock))
                else:
                    samples[name].append(await _timed(works[name], counts[name], clock))
    return Result(row.name, samples, row.floor)


async def _fitting(work: Work, seconds: float, step: int, clock: Clock) -> int:
    """Finds how many take about so many seconds; warms the column up by the way."""
    count = step
    while True:
        each = await _timed(work, count, clock)
        if each * count >= seconds / 4:
            return max(step, round(seconds / each / step) * step)
        count *= 8


async def _timed(work: Work, count: int, clock: Clock) -> float:
    gc.collect()  # nobody pays for what another column left behind
    start = clock()
    await work(count)
    return (clock() - start) / count


def in_new_process(program: str, **values: object) -> float:
    """Runs a small program in a new interpreter; returns the number that it prints.

    Args:
        program: Its text, with `{names}` for the values and for `folder`, where the benches are.
        **values: What goes into the text.
    """
    text = program.format(folder=str(Path(__file__).parent), **values)
    command = [sys.executable, "-c", text]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def choose(rows: Iterable[Row], words: str) -> list[Row]:
    """Chooses the row of that name, or else all whose names have these words in them."""
    named = {row.name: row for row in rows}
    return [named[words]] if words in named else [named[name] for name in named if words in name]


def measure_by_itself(program: str, row: Row, *, quick: bool) -> Result:
    """Measures a row of a bench in an interpreter of its own, which no other row has used.

    Args:
        program: The file of the bench.
        row: The row.
        quick: Whether in fewer and shorter rounds.
    """
    with tempfile.TemporaryDirectory() as folder:
        samples = Path(folder, "samples.json")
        command = [sys.executable, program, "--only", row.name, "--json", str(samples)]
        if quick:
            command.append("--quick")
        subprocess.run(command, check=True, capture_output=True)
        (measured,) = json.loads(samples.read_text(encoding="utf-8"))["results"]
    return Result(**measured)


def resident() -> int:
    """How many bytes of memory this process occupies (on Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def options(description: str) -> argparse.Namespace:
    """Reads the options that every bench has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file")
    parser.add_argument("--only", default="", metavar="WORDS", help="rows whose name has these")
    return parser.parse_args()


def circumstances() -> dict[str, str]:
    """Says where and on what is measured."""
    cpu = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":")[1].strip() if names else cpu
    return {
        "machine": f"{os.cpu_count()} cores of {cpu}, {platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "ferrogen": f"{importlib.metadata.version('ferrogen')} {_commit()}".strip(),
        "autogen-core": importlib.metadata.version("autogen-core"),
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def announce() -> None:
    """Prints where and on what is measured."""
    print("; ".join(f"{what}: {value}" for what, value in circumstances().items()), end="\n\n")


def duration(seconds: float) -> str:
    """Writes a duration with three digits and its unit."""
    for size, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= size:
            return f"{_three_digits(seconds / size)} {unit}"
    return f"{_three_digits(seconds / 1e-9)} ns"


def times(ratio: float) -> str:
    """Writes a ratio."""
    return f"{_three_digits(ratio)} x"


def _three_digits(number: float) -> str:
    if number >= 99.95:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"


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
    """Shows the floor, upstream and ours, and upstream over the floor: the bound there is."""
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


def save(path: Path | None, results: Iterable[Result]) -> None:
    """Writes every sample of every row to a JSON file, if one is wanted."""
    if path is not None:
        content = {**circumstances(), "results": [asdict(result) for result in results]}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
