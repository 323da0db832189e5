"""Draws the figures of benches/README.md as docs/plots/*.svg.

Each plot carries the command that measured its figures, and the line that the command printed about
the machine. With --check, nothing is written: a plot that is not up to date is an error.
"""

import io
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "benches" / "README.md"
FOLDER = ROOT / "docs" / "plots"

# One gray that can be read on light and on dark pages.
GRAY = "#808080"
COLORS = {
    "floor": "#9aa5ab",
    "upstream": "#5c7cba",
    "ours": "#e0662f",
    "off": "#5c7cba",
    "on": "#e0662f",
}
LABELS = {
    "floor": "bare asyncio or library",
    "upstream": "autogen-core",
    "ours": "Ferrogen",
    "off": "without the feature",
    "on": "with the feature",
}
_NANOSECONDS = {"ns": 1.0, "us": 1e3, "ms": 1e6, "s": 1e9}
_FIGURE = re.compile(r"([\d,.]+) (ns|us|ms|s)$")

mpl.rcParams.update(
    {
        # Without a date and with fixed identifiers, the same figures make the same file.
        "svg.hashsalt": "ferrogen",
        # Text stays text, in the font of the reader.
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        "text.color": GRAY,
        "axes.labelcolor": GRAY,
        "axes.edgecolor": GRAY,
        "xtick.color": GRAY,
        "ytick.color": GRAY,
    }
)


@dataclass(frozen=True)
class Plot:
    """A bar chart of some rows of a table of times."""

    name: str
    title: str
    command: str
    rows: tuple[str, ...]
    columns: tuple[str, ...] = ("floor", "upstream", "ours")


PLOTS = (
    Plot(
        "messages",
        "Time of a message",
        "make bench BENCH=runtime",
        (
            "RPC, sequential",
            "RPC, gather of 100",
            "RPC, handler does sleep(0)",
            "RPC, handler awaits a future",
            "publish to 1 subscriber",
            "fan-out to 100, per delivery",
            "first message to a new agent",
        ),
    ),
    Plot(
        "listeners",
        "Time of a request while something listens",
        "make bench BENCH=runtime",
        ("RPC, sequential", "RPC, INFO event log on", "RPC, recording tracer"),
    ),
    Plot(
        "features",
        "Time of a request with a feature of messaging",
        "make bench BENCH=messaging",
        (
            "priority=1",
            "timeout=60",
            "max_hops=10",
            "retry of the agent type",
            "order='sequential'",
            "capacity=100, overflow='wait'",
            "an intervention handler with a priority",
        ),
        ("floor", "off", "on"),
    ),
    Plot(
        "routing",
        "Recipients of a topic source that was not routed before",
        "make bench BENCH=routing",
        (
            "new topic source, 1 subscription, exact",
            "new topic source, 10 subscriptions, exact",
            "new topic source, 2,000 subscriptions, exact",
        ),
        ("upstream", "ours"),
    ),
    Plot(
        "serialization",
        "Time to write or read one message",
        "make bench BENCH=serialization",
        (
            "dataclass, write",
            "dataclass, read",
            "pydantic, write",
            "pydantic, read",
            "protobuf, write",
            "protobuf, read",
        ),
    ),
    Plot(
        "agentchat",
        "Time of a turn of an AgentChat team",
        "make bench BENCH=agentchat",
        (
            "three who say one line",
            "three assistants, replay model",
            "the same, each word streamed",
            "three who say one line, INFO event log on",
            "three who say one line, recording tracer",
        ),
    ),
)


def _section(text: str, command: str) -> str:
    """Returns what benches/README.md has under the heading that is exactly the command."""
    _, found, rest = text.partition(f"\n### `{command}`\n")
    if not found:
        raise LookupError(f"{SOURCE.name} has no figures of `{command}`")
    return re.split(r"^### ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def _machine(section: str) -> str:
    match = re.search(r"^`(machine: .*?); load: .*`$", section, re.MULTILINE)
    if match is None:
        raise LookupError("figures without the line about their machine")
    return match[1]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _rows(section: str) -> Iterator[dict[str, str]]:
    """Yields the rows of the tables of a section, by column; the first column is called name."""
    header: list[str] = []
    for line in section.splitlines():
        if not line.startswith("|"):
            header = []
        elif not header:
            header = ["name", *_cells(line)[1:]]
        elif not line.startswith("| -"):
            yield dict(zip(header, _cells(line), strict=True))


def _nanoseconds(figure: str) -> float:
    match = _FIGURE.match(figure)
    if match is None:
        raise ValueError(f"not a time: {figure!r}")
    return float(match[1].replace(",", "")) * _NANOSECONDS[match[2]]


def _drawn(plot: Plot, text: str) -> bytes:
    section = _section(text, plot.command)
    by_name = {row["name"]: row for row in _rows(section) if set(plot.columns) <= set(row)}
    missing = [name for name in plot.rows if name not in by_name]
    if missing:
        raise LookupError(f"the figures of `{plot.command}` have no rows {missing}")

    height = 1.2 + len(plot.rows) * (0.2 * len(plot.columns) + 0.2)
    figure = Figure(figsize=(8, height), layout="constrained")
    axes = figure.add_subplot()
    width = 0.8 / len(plot.columns)
    for number, column in enumerate(plot.columns):
        times = [_nanoseconds(by_name[name][column]) for name in plot.rows]
        offset = (number - (len(plot.columns) - 1) / 2) * width
        places = [place + offset for place in range(len(times))]
        bars = axes.barh(places, times, width * 0.9, color=COLORS[column], label=LABELS[column])
        axes.bar_label(bars, [by_name[name][column] for name in plot.rows], padding=3, fontsize=8)
    axes.set_yticks(range(len(plot.rows)), plot.rows)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_xlabel("nanoseconds, logarithmic; shorter is better", fontsize=8)
    machine, python, *rest = _machine(section).split("; ")
    origin = "\n".join((plot.command, f"{machine}; {python}", "; ".join(rest)))
    figure.supxlabel(origin, x=0.01, horizontalalignment="left", fontsize=7)
    axes.set_title(plot.title, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=8)

    file = io.BytesIO()
    figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    # matplotlib ends some lines in a space.
    return b"\n".join(line.rstrip() for line in file.getvalue().splitlines()) + b"\n"


def main(arguments: list[str]) -> int:
    """Draws all plots, or compares them with the files."""
    text = SOURCE.read_text(encoding="utf-8")
    outdated = []
    for plot in PLOTS:
        path = FOLDER / f"{plot.name}.svg"
        drawn = _drawn(plot, text)
        if path.exists() and path.read_bytes() == drawn:
            continue
        outdated.append(path.relative_to(ROOT))
        if "--check" not in arguments:
            FOLDER.mkdir(exist_ok=True)
            path.write_bytes(drawn)
    if outdated and "--check" in arguments:
        names = ", ".join(map(str, outdated))
        print(f"not up to date: {names}; make docs draws them, commit them", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
