"""Runs a make target on every supported CPython found here, each in a folder of .venvs/."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

VERSIONS = ("3.10", "3.11", "3.12", "3.13", "3.14", "3.15")
# Run by the candidate itself: a launcher on the PATH may stand for a Python that is not there.
# Free-threaded builds are not supported.
QUESTION = (
    "import ensurepip, sys, sysconfig, venv;"
    "assert not sysconfig.get_config_var('Py_GIL_DISABLED');"
    "print(sys.implementation.name, '%d.%d' % sys.version_info[:2], sys.executable)"
)


def candidates(version: str) -> Iterator[str]:
    """Yields commands and paths that may be this version."""
    yield f"python{version}"
    if shutil.which("pyenv"):
        response = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False)
        if root := response.stdout.strip():
            yield from map(str, sorted(Path(root).glob(f"versions/{version}.*/bin/python")))


def find(version: str) -> str | None:
    """Returns the path of a CPython of this version that works, None when there is none."""
    for candidate in candidates(version):
        if shutil.which(candidate) is None:
            continue
        response = subprocess.run(
            [candidate, "-c", QUESTION], capture_output=True, text=True, check=False
        )
        match response.stdout.strip().split(maxsplit=2):
            case ["cpython", found, path] if found == version:
                return path
    return None


def main(command: list[str]) -> int:
    """Runs the command for each version; returns 0 when all went well and there was one."""
    outcomes = dict.fromkeys(VERSIONS, "skipped, not found here")
    for version in VERSIONS:
        if path := find(version):
            print(f"== Python {version}: {path}", flush=True)
            chosen = [f"PYTHON={path}", f"VENV=.venvs/{version}"]
            code = subprocess.run([*command, *chosen], check=False).returncode
            outcomes[version] = "failed" if code else "passed"
    for version, outcome in outcomes.items():
        print(f"Python {version}: {outcome}")
    return int("failed" in outcomes.values() or "passed" not in outcomes.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
