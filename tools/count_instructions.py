"""Counts what the core's scenarios execute, and compares with the counts that are committed.

Counts do not depend on the load of the machine, so a change of a few percent is a change of the
code (or of the compiler). Each scenario runs twice under callgrind, the second time with more
repetitions: the difference holds neither the start of the process nor the preparations.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

COUNTS = Path("rust/core/benches/instructions.json")
FEW, MANY = 100, 600
# Hash tables are seeded anew in each process, so that probes of full tables differ a little.
TOLERANCE = 0.03
BUILD = ["cargo", "bench", "--locked", "--quiet", "--package", "ferrogen-core", "--bench"]


def runner() -> Path:
    """Compiles the program that does the scenarios, and says where it is."""
    command = [*BUILD, "counted", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in lines.splitlines():
        message = json.loads(line)
        if message.get("executable") and message["target"]["name"] == "counted":
            return Path(message["executable"])
    raise SystemExit("cargo has built no program named counted: is it still in Cargo.toml?")


def executed(program: Path, name: str, times: int) -> int:
    """Counts the instructions of one whole process."""
    with tempfile.TemporaryDirectory() as folder:
        out = f"--callgrind-out-file={folder}/out"
        command = ["valgrind", "--tool=callgrind", out, str(program), name, str(times)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    found = re.search(r"Collected : (\d+)", ended.stderr)
    if ended.returncode or found is None:
        raise SystemExit(f'callgrind could not count "{name}":\n{ended.stderr}')
    return int(found[1])


def per_run(program: Path, name: str) -> float:
    """Counts the instructions of doing a scenario once."""
    more = executed(program, name, MANY) - executed(program, name, FEW)
    return round(more / (MANY - FEW), 1)


def main() -> int:
    """Prints the table; 1 when a count has grown by more than is tolerated, or is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accept", action="store_true", help="write the new counts to the file")
    chosen = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit(
            "there is no valgrind on the PATH: install it (on Debian and Ubuntu: "
            "apt-get install valgrind) and run the same command again"
        )
    program = runner()
    listing = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
    counts = {name: per_run(program, name) for name in listing.splitlines()}
    committed = json.loads(COUNTS.read_text(encoding="utf-8")) if COUNTS.exists() else {}
    failed = set(committed) - set(counts)
    print(f"{'instructions for doing it once':<40} {'committed':>10} {'now':>10} {'change':>8}")
    for name, now in counts.items():
        before = committed.get(name)
        change = f"{now / before - 1:+.1%}" if before else "new"
        if before is None or abs(now - before) > TOLERANCE * before:
            failed.add(name)
        print(f"{name:<40} {before or '-':>10} {now:>10} {change:>8}")
    if chosen.accept:
        COUNTS.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
        return 0
    if failed:
        print(
            f"\nmore than {TOLERANCE:.0%} away, new or gone: {'; '.join(sorted(failed))}\n"
            "fix the core, or commit the new counts with a reason: make bench-core ARGS=--accept",
            file=sys.stderr,
        )
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
