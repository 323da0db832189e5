"""Checks that every source file is short, and is named after what it holds."""

import sys
from collections.abc import Iterator
from pathlib import Path

FOLDERS = ("python", "rust", "tests", "benches", "examples", "tools")
ENDINGS = {".py", ".pyi", ".rs"}
MOST_LINES = 600
# Such a name says nothing about the contents, and so invites anything.
EMPTY_NAMES = {"common", "helper", "helpers", "impl", "manager", "misc", "util", "utils"}


def sources() -> Iterator[Path]:
    """Yields every source file of the project."""
    for folder in FOLDERS:
        for path in sorted(Path(folder).rglob("*")):
            if path.suffix in ENDINGS and "target" not in path.parts:
                yield path


def complaints() -> Iterator[str]:
    """Yields one line for each thing that is wrong."""
    for path in sources():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MOST_LINES:
            yield f"{path}: {lines} lines, the most is {MOST_LINES}: split it by what it does"
        if path.stem.removeprefix("test_").strip("_") in EMPTY_NAMES:
            yield f"{path}: name the file after what it holds"


if __name__ == "__main__":
    found = list(complaints())
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    sys.exit(bool(found))
