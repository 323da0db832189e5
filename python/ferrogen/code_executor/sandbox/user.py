"""The user as whom sandboxed code runs, and the folders that this user cannot reach by itself."""

import os
import random
import select
import shutil
import stat
import subprocess
import weakref
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from ferrogen.exceptions import SandboxError, SandboxOptionError, SandboxUnavailableError

# systemd takes users without a name for its services from here. Containers map these numbers, too.
_RANGE = range(61184, 65520)

# In seconds, for a busy machine: bubblewrap takes milliseconds. In a root of `chroot` it may wait
# forever.
LONGEST_START = 30.0


@dataclass(frozen=True)
class Identity:
    """The host's user and group of sandboxed processes.

    Args:
        uid: The user.
        gid: The group.
        dropped: Whether it is another user than the caller.
    """

    uid: int
    gid: int
    dropped: bool

    def popen_options(self) -> dict[str, object]:
        """Return the arguments by which ``subprocess`` starts a process of this user."""
        if not self.dropped:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def sandbox_identity() -> Identity:
    """Return the caller's user, or if that is root, one that has no files and no processes."""
    if os.geteuid() != 0 or _is_root_by_name_only():
        return Identity(os.geteuid(), os.getegid(), dropped=False)
    taken = set(_users_of_processes())
    for uid in random.SystemRandom().sample(_RANGE, len(_RANGE)):
        if uid not in taken and not _has_name(uid):
            return Identity(uid, uid, dropped=True)
    raise SandboxUnavailableError(
        f"every user from {_RANGE.start} to {_RANGE.stop - 1} has a name or processes, and the"
        " sandbox needs one that has none: run the program as an ordinary user"
    )


def _is_root_by_name_only() -> bool:
    """Whether this is a user namespace with one user, to which no other user can be switched."""
    maps = [line.split() for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return len(maps) == 1 and maps[0][0] == "0" and maps[0][1] != "0" and maps[0][2] == "1"


def _users_of_processes() -> Iterator[int]:
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                with suppress(FileNotFoundError):  # it has ended
                    yield entry.stat().st_uid


def _has_name(uid: int) -> bool:
    import pwd  # only Unix has it

    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


class Reach:
    """Starts programs as the sandbox's user, who can reach some folders.

    Args:
        identity: That user.
        needed: The folders.
        bubblewrap: The path of ``bwrap``, or None if it is not installed.

    Raises:
        SandboxError: A folder cannot be made reachable.
        SandboxOptionError: A folder is itself closed to the user.
    """

    def __init__(self, identity: Identity, needed: Sequence[Path], bubblewrap: str | None) -> None:
        self._identity = identity
        self._namespace: int | None = None
        found = (closed_folder(path, identity) for path in needed) if identity.dropped else ()
        closed = {folder for folder in found if folder is not None}
        for folder in closed & {*needed}:
            raise SandboxOptionError(
                f"code runs as user {identity.uid}, who cannot enter {folder}: let every user enter"
                f" and read it, for example by `chmod a+rX {folder}`"
            )
        if closed:
            self._prefix = _commands(identity, closed, bubblewrap)
            self._namespace = _mount_namespace([*_binds(needed, closed)], str(bubblewrap))
            self._close = weakref.finalize(self, os.close, self._namespace)

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that a program inherits."""
        return () if self._namespace is None else (self._namespace,)

    def prefix(self) -> list[str]:
        """Return the command that runs its arguments as the user."""
        if self._namespace is None:
            return []
        return [*self._prefix, f"--mount=/proc/self/fd/{self._namespace}", "--"]

    def popen_options(self) -> dict[str, object]:
        """Return the arguments by which ``subprocess`` starts the command."""
        return {} if self._namespace is not None else self._identity.popen_options()

    def close(self) -> None:
        """Release the namespace."""
        if self._namespace is not None:
            self._close()


def _commands(identity: Identity, closed: set[Path], bubblewrap: str | None) -> list[str]:
    nsenter = shutil.which("nsenter")
    if nsenter is None or bubblewrap is None or Path("/") in closed:
        raise SandboxError(
            f"the sandbox's user cannot enter {', '.join(map(str, sorted(closed)))}: install"
            " bubblewrap and util-linux (nsenter), or let every user enter it"
        )
    # With --setgid, nsenter drops the other groups, too.
    return [nsenter, "--setuid", str(identity.uid), "--setgid", str(identity.gid)]


def _mount_namespace(binds: list[str], bubblewrap: str) -> int:
    """Return a descriptor of a namespace, which stays as long as that is open."""
    command = [bubblewrap, "--dev-bind", "/", "/", *binds, "--die-with-parent"]
    command += ["--", "/bin/sh", "-c", "echo $$; read end"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd="/",
        env={},
        text=True,
    ) as process:
        output = cast(IO[str], process.stdout)
        readable, _, _ = select.select([output], [], [], LONGEST_START)
        written = output.readline().strip() if readable else ""
        if written:
            namespace = os.open(f"/proc/{written}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        elif not readable:
            process.kill()
        _, errors = process.communicate()
    if not written:
        said = errors.strip() if readable else f"nothing was said for {LONGEST_START:g} seconds"
        raise SandboxError(f"closed folders cannot be made reachable: {said}")
    return namespace


def _binds(needed: Sequence[Path], closed: set[Path]) -> Iterator[str]:
    def is_closed(path: Path) -> bool:
        return any(path.is_relative_to(folder) for folder in closed)

    for folder in sorted(closed):
        yield from ("--tmpfs", str(folder))
    for path in dict.fromkeys(needed):
        for folder in reversed(path.parents):
            if is_closed(folder):
                yield from ("--perms", "0755", "--dir", str(folder))
        if is_closed(path):
            yield from ("--bind", str(path), str(path))


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
