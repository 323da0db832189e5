"""Starts programs as root or as an ordinary user, whatever folders this Python is in."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import ferrogen

ORDINARY = 23456


def commands_as(user: str) -> list[str]:
    """Return the command that runs its arguments as a user: ``"root"`` or ``"ordinary"``."""
    if user == "root" or os.geteuid() != 0:
        return []
    # Folders such as /root are closed to other users: what the program needs is bound over them.
    needed = [Path(sys.base_prefix), Path(sys.prefix), *map(Path, _import_folders())]
    closed = {folder for path in needed if (folder := _first_closed(path))}
    command = ["bwrap", "--dev-bind", "/", "/"]
    for folder in sorted(closed):
        command += ["--tmpfs", str(folder)]
    for path in dict.fromkeys(needed):
        if any(path.is_relative_to(folder) for folder in closed):
            for parent in reversed(path.parents):
                if any(parent.is_relative_to(folder) for folder in closed):
                    command += ["--perms", "0755", "--dir", str(parent)]
            command += ["--ro-bind", str(path), str(path)]
    ids = ["--reuid", str(ORDINARY), "--regid", str(ORDINARY), "--clear-groups"]
    return [*command, "--die-with-parent", "--", "setpriv", *ids, "--"]


def start(user: str, program: Path, folder: Path, **environment: str) -> subprocess.Popen[str]:
    """Start a Python program, with pipes, in a folder that the user may write to."""
    if os.geteuid() == 0 and user != "root":
        os.chown(folder, ORDINARY, ORDINARY)
    path = os.pathsep.join(_import_folders())
    variables = {**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder), "HOME": str(folder)}
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    return subprocess.Popen(
        [*commands_as(user), sys.executable, "-B", str(program)],
        env={**variables, **environment},
        cwd=folder,
        **options,
    )


def _import_folders() -> list[str]:
    return [str(Path(ferrogen.__file__).parent.parent), str(Path(__file__).parents[2])]


def _first_closed(path: Path) -> Path | None:
    for folder in reversed((path, *path.parents)):
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None
