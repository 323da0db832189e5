"""Interleaved measurement: rows, rounds, medians and ratios.

A row has columns, such as the floor, upstream and ours. Each round takes every column once, so that
a load that slows the machine for a while slows all of them; ratios are taken within a round.
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
"""Does the work of a column that many times."""

Clock = Callable[[], float]
"""Returns the time, in seconds from any point on."""

Make = Callable[[], AbstractAsyncContextManager[Work]]
"""Sets up what the work needs, and tears it down."""


@dataclass(frozen=True)
class Bound:
    """The most that our column may take, compared with other columns of the same rounds.

    Args:
        name: What it is compared with.
        columns: The columns whose sum is the reference.
        most: The largest ratio of ours to the reference, or the largest difference in seconds.
        is_difference: Whether the difference is bounded.
    """

    name: str
    columns: Sequence[str]
    most: float
    is_difference: bool = False


@dataclass
class Row:
    """One scenario, with a piece of work for each column.

    Args:
        name: The scenario.
        columns: The work of each column.
        floor: What the floor does.
        step: The work is done in multiples of so many.
        exactly: How many times a column does it in a round, where more of it would change what is
            measured. Every round of such a row is set up anew.
        bounds: What our column is compared with.
    """

    name: str
    columns: Mapping[str, Make]
    floor: str = ""
    step: int = 1
    exactly: Mapping[str, int] = field(default_factory=dict)
    bounds: Sequence[Bound] = ()


@dataclass
class Result:
    """The seconds (or bytes) that each column took for one of a row's actions, round by round."""

    name: str
    samples: dict[str, list[float]]
    floor: str = ""
    bounds: Sequence[Bound] = ()

    def median(self, column: str) -> float:
        return statistics.median(self.samples[column])

    def ratio(self, column: str, to: str) -> float:
        """How many times a column is another one: the median over the rounds."""
        pairs = zip(self.samples[column], self.samples[to], strict=True)
        return statistics.median(one / other for one, other in pairs)

    def reference(self, bound: Bound) -> float:
        """The time of what a bound compares with: the median over the rounds."""
        return statistics.median(self._references(bound))

    def against(self, bound: Bound) -> float:
        """Our ratio or difference to the reference of a bound: the median over the rounds."""
        pairs = zip(self.samples["ours"], self._references(bound), strict=True)
        return statistics.median(
            ours - reference if bound.is_difference else ours / reference
            for ours, reference in pairs
        )

    def _references(self, bound: Bound) -> list[float]:
        columns = [self.samples[column] for column in bound.columns]
        return [sum(sample) for sample in zip(*columns, strict=True)]

    def spread(self, column: str) -> float:
        """The distance of the quartiles, as a part of the median."""
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
        clock: The clock. For work that never suspends, the processor's time excludes other
            programs.
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
    return Result(row.name, samples, row.floor, row.bounds)


async def _fitting(work: Work, seconds: float, step: int, clock: Clock) -> int:
    """Finds how many take about so many seconds; this warms the column up as well."""
    count = step
    while True:
        each = await _timed(work, count, clock)
        if each * count >= seconds / 4:
            return max(step, round(seconds / each / step) * step)
        count *= 8


async def _timed(work: Work, count: int, clock: Clock) -> float:
    gc.collect()  # no column is charged for the garbage of another
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
    """Chooses the row of that name, or else all rows whose names contain these words."""
    named = {row.name: row for row in rows}
    return [named[words]] if words in named else [named[name] for name in named if words in name]


def measure_by_itself(program: str, row: Row, *, quick: bool) -> Result:
    """Measures a row of a bench in a new interpreter.

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
    bounds = [Bound(**bound) for bound in measured.pop("bounds")]
    return Result(**measured, bounds=bounds)


async def measure_chosen(
    program: str, rows: Iterable[Row], chosen: argparse.Namespace
) -> list[Result]:
    """Measures the chosen rows of a bench: one here, several each in a new interpreter.

    Args:
        program: The file of the bench.
        rows: All rows.
        chosen: The options of the bench.
    """
    rounds, seconds = (5, 0.01) if chosen.quick else (9, 0.05)
    gc.freeze()  # later collections do not scan what was imported
    results = []
    to_measure = choose(rows, chosen.only)
    for row in to_measure:
        if len(to_measure) == 1:
            results.append(await measure(row, rounds=rounds, seconds=seconds))
        else:
            results.append(measure_by_itself(program, row, quick=chosen.quick))
        print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    return results


def resident() -> int:
    """The resident memory of this process in bytes (on Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def options(description: str) -> argparse.Namespace:
    """Reads the options that every bench has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file")
    parser.add_argument(
        "--only", default="", metavar="WORDS", help="rows whose names contain WORDS"
    )
    return parser.parse_args()


def circumstances() -> dict[str, str]:
    """The machine, the versions and the load."""
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
    """Prints the machine, the versions and the load."""
    print("; ".join(f"{what}: {value}" for what, value in circumstances().items()), end="\n\n")


def save(path: Path | None, results: Iterable[Result]) -> None:
    """Writes every sample of every row to a JSON file, if a path is given."""
    if path is not None:
        content = {**circumstances(), "results": [asdict(result) for result in results]}
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
