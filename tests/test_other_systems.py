"""Ferrogen imports no module that only Unix has; lint checks the types for Windows and macOS."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

UNIX_ONLY = (
    *("crypt", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "readline"),
    *("resource", "spwd", "syslog", "termios", "tty"),
)
# Only Ferrogen's own imports are refused: other packages have their ways on Windows.
PROGRAM = f"""
import builtins, importlib, pkgutil, sys

real = builtins.__import__


def refusing(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {{}}).get("__name__", "")
    if importer.partition(".")[0] in OURS and name.partition(".")[0] in {UNIX_ONLY}:
        raise ModuleNotFoundError(f"{{importer}} imports {{name}}, which Windows does not have")
    return real(name, globals, locals, fromlist, level)


OURS = sys.argv[1:]
builtins.__import__ = refusing
count = 0
for package in map(importlib.import_module, OURS):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not module.name.endswith(".__main__"):
            importlib.import_module(module.name)
            count += 1
print(count)
"""


def imported(*packages: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *packages],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_every_module_can_be_imported_without_them(tmp_path: Path):
    done = imported("ferrogen", "_ferrogen_hook", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200


@pytest.mark.parametrize("statement", ["import fcntl", "from pwd import getpwuid"])
def test_a_module_that_needs_one_is_found(tmp_path: Path, statement: str):
    (tmp_path / "needy").mkdir()
    (tmp_path / "needy" / "__init__.py").write_text("")
    (tmp_path / "needy" / "part.py").write_text(f"{statement}\n")
    done = imported("needy", cwd=tmp_path)
    assert done.returncode == 1
    assert f"needy.part imports {statement.split()[1]}, which" in done.stderr
