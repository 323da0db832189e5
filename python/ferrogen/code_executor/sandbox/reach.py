"""Folders that the sandbox's user cannot reach, made reachable without a change of the host.

When root runs code, folders below ``/root``, for example, are closed to the user that the code runs
as. Root then starts the program in a mount namespace of its own, in which the closed folder has
nothing but the folders that are needed.
"""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from ferrogen.code_executor.sandbox.identity import Identity
from ferrogen.exceptions import SandboxError


class Reach:
    """Starts a program as the sandbox's user, who can reach some folders.

    Args:
        identity: That user.
        needed: The folders.
        bubblewrap: The path of ``bwrap``, or None if it is not installed.
    """

    def __init__(self, identity: Identity, needed: Sequence[Path], bubblewrap: str | None) -> None:
        self._identity, self._needed, self._bubblewrap = identity, needed, bubblewrap
        found = (closed_folder(path, identity) for path in needed) if identity.dropped else ()
        self._closed = {folder for folder in found if folder is not None}

    def prefix(self) -> list[str]:
        """Return the command that runs its arguments as the user.

        Raises:
            SandboxError: A folder cannot be made reachable.
        """
        if not self._closed:
            return []
        setpriv = shutil.which("setpriv")
        if setpriv is None or self._bubblewrap is None or Path("/") in self._closed:
            raise SandboxError(
                f"the sandbox's user cannot enter {', '.join(map(str, sorted(self._closed)))}:"
                " install bubblewrap and setpriv (util-linux), or let every user enter it"
            )
        ids = ["--reuid", str(self._identity.uid), "--regid", str(self._identity.gid)]
        return [
            *(self._bubblewrap, "--dev-bind", "/", "/", *self._binds(), "--die-with-parent"),
            *("--", setpriv, *ids, "--clear-groups", "--"),
        ]

    def popen_options(self) -> dict[str, object]:
        """Return the arguments by which ``subprocess`` starts the command."""
        return {} if self._closed else self._identity.popen_options()

    def _binds(self) -> Iterator[str]:
        for folder in sorted(self._closed):
            yield from ("--tmpfs", str(folder))
        for path in dict.fromkeys(self._needed):
            inside = [folder for folder in path.parents if self._is_closed(folder)]
            for folder in reversed(inside):
                yield from ("--perms", "0755", "--dir", str(folder))
            if self._is_closed(path):
                yield from ("--bind", str(path), str(path))

    def _is_closed(self, path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in self._closed)


def closed_folder(path: Path, identity: Identity) -> Path | None:
    """Return the first folder on a path that a user without further groups cannot enter."""
    for folder in reversed((path, *path.parents)):
        status = os.stat(folder)  # noqa: PTH116 - its fields are needed
        if status.st_uid == identity.uid:
            allowed = status.st_mode & stat.S_IXUSR
        elif status.st_gid == identity.gid:
            allowed = status.st_mode & stat.S_IXGRP
        else:
            allowed = status.st_mode & stat.S_IXOTH
        if not allowed:
            return folder
    return None
