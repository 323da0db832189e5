"""Folders that the sandbox's user cannot reach, made reachable without a change of the host.

When root runs code, folders such as ``/root`` are closed to the user that the code runs as. Root
then starts bubblewrap twice: first as root, to bind such folders below `PLACE` in a mount namespace
of its own, and in it as that user.
"""

import os
import shutil
import stat
from pathlib import Path

from ferrogen.code_executor.sandbox.identity import Identity
from ferrogen.exceptions import SandboxError

PLACE = "/mnt"


class Reach:
    """The sources of binds, as the sandbox's user can reach them.

    Args:
        identity: That user.
    """

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self._moved: dict[str, str] = {}

    def source(self, folder: Path) -> str:
        """Return the path by which a folder is bound."""
        if not self._identity.dropped or is_reachable(folder, self._identity):
            return str(folder)
        return self._moved.setdefault(str(folder), f"{PLACE}/{len(self._moved)}")

    def prefix(self, executable: str) -> list[str]:
        """Return the command that makes the sources reachable and runs its arguments.

        Args:
            executable: The path of ``bwrap``.

        Raises:
            SandboxError: A command that it needs is missing.
        """
        if not self._moved:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise SandboxError(
                f"the sandbox's user cannot reach {', '.join(self._moved)}, and there is no setpriv"
                " to make it reachable: install util-linux, or let every user enter that folder"
            )
        binds = [part for pair in self._moved.items() for part in ("--bind", *pair)]
        user = ["--reuid", str(self._identity.uid), "--regid", str(self._identity.gid)]
        return [
            *(executable, "--dev-bind", "/", "/", "--tmpfs", PLACE, *binds, "--die-with-parent"),
            *("--", setpriv, *user, "--clear-groups", "--"),
        ]

    def popen_options(self) -> dict[str, object]:
        """Return the arguments by which ``subprocess`` starts the command."""
        return {} if self._moved else self._identity.popen_options()


def is_reachable(folder: Path, identity: Identity) -> bool:
    """Whether a user without further groups can enter a folder and all above it."""
    return all(_may_enter(path, identity) for path in (folder, *folder.parents))


def _may_enter(folder: Path, identity: Identity) -> bool:
    status = os.stat(folder)  # noqa: PTH116 - its fields are needed
    if status.st_uid == identity.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == identity.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
