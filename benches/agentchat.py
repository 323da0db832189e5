"""Measures a turn of an unmodified AgentChat team: without a runtime, on upstream, on Ferrogen.

Both packages use the import name autogen_core, so each sample comes from a new interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from _measure import Result, announce, options, save
from _tables import show_beside_bound

TEAM = Path(__file__).with_name("_team_process.py")
ROWS = {
    "three who say one line": "speakers",
    "three assistants, replay model": "assistants",
    "the same, each word streamed": "streaming",
    "three who say one line, INFO event log on": "logged",
    "three who say one line, recording tracer": "traced",
}
# The implementation of the conversation, and the environment that selects the package.
COLUMNS: dict[str, tuple[str, dict[str, str]]] = {
    "floor": ("floor", {}),
    "upstream": ("team", {}),
    "ours": ("team", {"FERROGEN_INSTALL": "1"}),
}


def sample(kind: str, column: str) -> float:
    """Holds the conversations in a new interpreter; returns the seconds of one turn."""
    implementation, changes = COLUMNS[column]
    kept = {name: text for name, text in os.environ.items() if not name.startswith("FERROGEN_")}
    command = [sys.executable, str(TEAM), kind, implementation]
    environment = {**kept, **changes}
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    return float(done.stdout)


def take(name: str, kind: str, rounds: int) -> Result:
    """Takes every column once a round."""
    samples: dict[str, list[float]] = {column: [] for column in COLUMNS}
    for _ in range(rounds):
        for column, taken in samples.items():
            taken.append(sample(kind, column))
        print(".", end="", flush=True, file=sys.stderr)
    return Result(name, samples, "agents called in turn")


def main() -> None:
    chosen = options(__doc__ or "")
    announce()
    rounds = 3 if chosen.quick else 7
    results = [take(name, kind, rounds) for name, kind in ROWS.items() if chosen.only in name]
    print(file=sys.stderr)
    show_beside_bound("a turn of a team", results)
    save(chosen.json, results)


if __name__ == "__main__":
    main()
