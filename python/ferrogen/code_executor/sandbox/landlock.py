"""Isolation by Landlock and seccomp, where user namespaces are forbidden.

It takes the kernel's scopes of signals and sockets (Linux 6.12, the sixth version of Landlock):
without them the code could signal the caller's other processes.
"""

import asyncio
import ctypes
import functools
import marshal
import os
from pathlib import Path

from ferrogen.code_executor.sandbox.isolation import Isolation, Launch, Paths, Scratch
from ferrogen.code_executor.sandbox.process import SandboxProcess, readable
from ferrogen.code_executor.sandbox.seccomp import filter_program
from ferrogen.exceptions import SandboxUnavailableError

NEEDED_VERSION = 6
_CREATE_RULESET, _ASK_VERSION = 444, 1
# Files of the host without information about its users.
_READABLE = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "localtime", "alternatives", "fonts")


class LandlockIsolation(Isolation):
    """Runs code in a Landlock domain, without namespaces of its own.

    Raises:
        SandboxUnavailableError: The kernel's Landlock cannot isolate code.
    """

    name = "landlock"

    def __init__(self) -> None:
        version = landlock_version()
        if version < NEEDED_VERSION:
            raise SandboxUnavailableError(
                f"the kernel has version {version} of Landlock, and isolation takes version"
                f" {NEEDED_VERSION}: Linux 6.12 or newer, with landlock in its lsm= parameter"
            )

    def paths(self, scratch: Scratch, temporary: Path) -> Paths:
        """Return the folders as the code sees them: as the host does."""
        return Paths(str(scratch.work), str(scratch.code), str(temporary))

    async def start(self, launch: Launch) -> SandboxProcess:
        """Start a run."""
        view, scratch = launch.view, launch.scratch
        visible = [*view.folders, *view.links, str(scratch.code)]
        visible += [f"/etc/{name}" for name in _READABLE]
        identity = launch.identity
        limits = await asyncio.to_thread(launch.limits.of_each_process, identity.uid)
        options = {
            "command": [*launch.command],
            "variables": {**self.paths(scratch, launch.temporary).variables(), **launch.variables},
            "folder": str(scratch.work),
            "readable": visible,
            "writable": [str(scratch.work), str(launch.temporary), str(scratch.shared_memory)],
            "limits": limits,
            "filter": filter_program(namespaces=False),
            "parent": os.getpid(),
            "descriptors": [*launch.descriptors],
        }
        python = [launch.view.base_python, "-I", "-S", "-c", _program()]
        # Not as arguments: those of a process can be read by every user.
        passed = readable(marshal.dumps(options))
        try:
            process = SandboxProcess(
                [*launch.reach.prefix(), *python, str(passed)],
                [*launch.reach.descriptors, *launch.descriptors, passed],
                launch.reach.popen_options(),
            )
        finally:
            os.close(passed)
        process.ends_when_asked = True
        process.read_output(launch.on_data)
        return process


def landlock_version() -> int:
    """Return the version of the kernel's Landlock, or 0 if it has none or it is off."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    version: int = libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _ASK_VERSION)
    return max(version, 0)


@functools.cache
def _program() -> str:
    return Path(__file__).with_name("landlock_program.py").read_text(encoding="utf-8")
