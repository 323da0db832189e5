"""The user as whom sandboxed code runs, when the caller is root."""

import os
import random
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ferrogen.exceptions import SandboxUnavailableError

# systemd takes users without a name for its services from here. Containers map these numbers, too.
_RANGE = range(61184, 65520)


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
    for entry in os.scandir("/proc"):
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
