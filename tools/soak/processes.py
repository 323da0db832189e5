"""Several processes: one seed each, and the sums of what they have counted."""

from __future__ import annotations

import json
import subprocess
import sys
from argparse import Namespace
from collections import Counter
from pathlib import Path
from threading import Thread
from typing import Any

__all__ = ["RESULT", "run_processes"]

RESULT = "result: "
"""What the line begins with in which a process reports what it has counted."""

_PROGRAM = Path(__file__).parents[1] / "soak.py"


def run_processes(options: Namespace) -> list[dict[str, Any] | None]:
    """Run the program in several processes, and show what they print.

    Args:
        options: The command line. Its messages are shared out, and each process adds its number to
            the seed.

    Returns:
        What each process has counted; None for one that has failed.
    """
    share = -(-options.messages // options.processes)
    results: list[dict[str, Any] | None] = [None] * options.processes

    def run(number: int) -> None:
        seed = options.seed + number
        command = [sys.executable, str(_PROGRAM), "--messages", str(share), "--seed", str(seed)]
        command += ["--profile", options.profile, "--growth", str(options.growth)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            found = None
            for line in process.stdout:
                if line.startswith(RESULT):
                    found = json.loads(line.removeprefix(RESULT))
                else:
                    print(f"[{seed}] {line}", end="", flush=True)
        results[number] = found if process.returncode == 0 else None

    threads = [Thread(target=run, args=(number,)) for number in range(options.processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    _print_sums(results)
    return results


def _print_sums(results: list[dict[str, Any] | None]) -> None:
    used: Counter[str] = Counter()
    for result in results:
        used.update({} if result is None else result["used"])
    ended = [result for result in results if result is not None]
    messages = sum(result["messages"] for result in ended)
    seconds = max((result["seconds"] for result in ended), default=0.0)
    for name, count in sorted(used.items()):
        if name.startswith(("outcome: ", "end: ", "mode: messages")):
            print(f"  {name:<52}{count:>10}")
    print(
        f"{len(ended)} of {len(results)} processes without a difference: "
        f"{messages} messages in {seconds:.0f} s"
    )
