"""Measures what memories find, how fast, and how large they are, beside chromadb and lancedb.

    python benches/memory_search.py                      quality, and 1,000 and 100,000 items
    python benches/memory_search.py --quick              quality, and 1,000 items
    python benches/memory_search.py --sizes 1000000 --stores SqliteMemory LanceMemory --no-quality
                                                         by hand: half an hour, and 5 GB of memory

chromadb and lancedb are measured if they are installed. All get the same vectors.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from _memory_latency import measured
from _memory_quality import quality
from _memory_stores import STORES

QUALITY_COLUMNS = ("recall@10", "nDCG@10")
COLUMNS = {
    "add": "ms",
    "add p99": "ms",
    "bulk": "items/s",
    "search": "ms",
    "search p99": "ms",
    "search CPU": "ms",
    "filtered": "ms",
    "text": "ms",
    "hybrid": "ms",
    "first": "s",
    "memory": "MiB",
    "disk": "MiB",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 100_000])
    parser.add_argument("--stores", nargs="*", choices=STORES, default=list(STORES))
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--no-quality", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        store, size, folder = arguments.one
        print(json.dumps(measured(store, int(size), Path(folder), arguments.queries)))
        return
    found: dict[str, object] = {}
    if not arguments.no_quality:
        name, rows = quality()
        found["quality"] = rows
        print(f"\nquality, on docstrings of the standard library: {name}\n")
        show(("", *QUALITY_COLUMNS), [(row, *figures) for row, figures in rows.items()])
    for size in [1000] if arguments.quick else arguments.sizes:
        rows = {}
        for store in arguments.stores:
            if importlib.util.find_spec(STORES[store].package):
                rows[store] = in_new_process(store, size, arguments.queries)
                print(f"{store}, {size:,}: {rows[store]}", file=sys.stderr, flush=True)
        found[str(size)] = rows
        print(f"\n{size:,} items with vectors of 384 numbers; medians\n")
        units = [f"{name} [{unit}]" for name, unit in COLUMNS.items()]
        show(
            ("", *units),
            [(store, *(figures.get(name) for name in COLUMNS)) for store, figures in rows.items()],
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2))


def in_new_process(store: str, size: int, queries: int) -> dict[str, float]:
    """Measures a store where nothing else has used memory, on one core."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--one", store, str(size), folder]
        command += ["--queries", str(queries)]
        libraries = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS")
        one_thread = dict.fromkeys(libraries, "1")
        done = subprocess.run(
            command, env={**os.environ, **one_thread}, stdout=subprocess.PIPE, text=True, check=True
        )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def show(heading: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Prints a table in Markdown."""
    print("| " + " | ".join(heading) + " |")
    print("|---" * len(heading) + "|")
    for row in rows:
        print("| " + " | ".join(map(cell, row)) + " |")


def cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return str(value)


if __name__ == "__main__":
    main()
