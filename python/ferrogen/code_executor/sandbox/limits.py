"""Limits of sandboxed code, and the part of them that the kernel enforces on each process."""

import functools
import math
import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass, fields
from typing import Literal

from pydantic import ByteSize, TypeAdapter, ValidationError

from ferrogen.exceptions import SandboxOptionError, SandboxUnavailableError

SHELL = "/bin/sh"

LimitName = Literal["timeout", "memory", "cpu_time", "file_size", "output", "disk"]
"""The limit that ended a run."""

LIMIT_WORDS: dict[LimitName, str] = {
    "timeout": "time",
    "memory": "memory",
    "cpu_time": "processor time",
    "file_size": "the size of a file",
    "output": "output",
    "disk": "disk space",
}

Size = int | str
"""Bytes, or text such as ``"512MiB"``."""

_SIZES = ("memory", "file_size", "output", "disk")
_LEAST_MEMORY = 16 << 20
_SIZE = TypeAdapter(ByteSize)


@dataclass(frozen=True)
class SandboxLimits:
    """The limits of a run.

    Args:
        timeout: Seconds for each block of code.
        memory: Bytes, of all processes together.
        cpu_time: Seconds of processor time, of all processes together.
        processes: Processes and threads at one time.
        file_size: Bytes of one file.
        open_files: Open files of one process.
        output: Bytes on stdout and stderr together, for each call.
        disk: Bytes in all files of the executor.
        files: Files and folders of the executor.

    Raises:
        SandboxOptionError: A limit is not a positive number, or not a size.
    """

    timeout: float = 60
    memory: int = 512 << 20
    cpu_time: float = 60
    processes: int = 64
    file_size: int = 64 << 20
    open_files: int = 256
    output: int = 1 << 20
    disk: int = 256 << 20
    files: int = 10_000

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not value > 0:
                raise SandboxOptionError(
                    f"the limit {field.name} is {value!r}; it must be a positive number"
                )
        if self.memory < _LEAST_MEMORY:
            raise SandboxOptionError(
                f"the limit memory is {self.memory} bytes, in which no interpreter starts; it is at"
                f" least {_LEAST_MEMORY}, and may be text such as '512MiB'"
            )

    @classmethod
    def of(cls, **values: float | str) -> "SandboxLimits":
        """Return limits whose sizes may be text, such as ``"512MiB"``."""
        return cls(
            **{
                name: parse_size(name, value) if name in _SIZES else value
                for name, value in values.items()
            }  # type: ignore[arg-type]
        )

    def shell_prefix(self, counted: int) -> list[str]:
        """Return a command that sets the limits of each process, and runs its arguments.

        They are set inside of the sandbox: outside, RLIMIT_NPROC would count all processes of the
        user, and containers do not permit their root to limit processes of other users.

        Memory is limited as RLIMIT_DATA, which counts private writable memory. RLIMIT_AS would
        count what is only reserved, too: many gigabytes in some interpreters.

        Args:
            counted: The processes outside of the sandbox that the kernel counts, too.
        """
        # The watch over all processes, which knows the limit by its name, comes a second earlier.
        # bubblewrap's own process is counted.
        processes = self.processes + 1 + counted
        limits = (
            f"ulimit -c 0 && ulimit -t {math.ceil(self.cpu_time) + 1}"
            f" && ulimit -d {self.memory >> 10}"
            f" && ulimit -f {max(1, self.file_size // 512)} && ulimit -n {self.open_files}"
            f" && ulimit -l 64 && ulimit {processes_option()} {processes}"
        )
        return [SHELL, "-c", f'{limits} && exec "$@"', "sandbox"]

    def of_each_process(self, uid: int) -> dict[str, int]:
        """Return the same limits by the names of ``resource``, for code in no user namespace."""
        return {
            "RLIMIT_CORE": 0,
            "RLIMIT_CPU": math.ceil(self.cpu_time) + 1,
            "RLIMIT_DATA": self.memory,
            "RLIMIT_FSIZE": self.file_size,
            "RLIMIT_MEMLOCK": 1 << 16,
            "RLIMIT_NOFILE": self.open_files,
            "RLIMIT_NPROC": self.processes + 1 + processes_of(uid),
        }


@functools.cache
def processes_option() -> str:
    """Return what ``ulimit`` calls the number of processes: shells do not agree."""
    for option in ("-u", "-p"):
        # Both are built into the shell: it must not fork, since the user may have more processes.
        command = [SHELL, "-c", f"ulimit {option} 7 && ulimit {option}"]
        done = subprocess.run(command, capture_output=True, check=False, env={})
        if done.stdout.strip() == b"7":
            return option
    raise SandboxUnavailableError(f"{SHELL} cannot limit the number of processes: install dash")


def processes_of(uid: int) -> int:
    """Count the threads that a user has on this machine."""
    count = 0
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                with suppress(OSError):  # it has ended
                    if entry.stat().st_uid == uid:
                        count += len(os.listdir(f"/proc/{entry.name}/task"))  # noqa: PTH208 - only counted
    return count


@functools.cache
def counts_processes_of_users() -> bool:
    """Whether RLIMIT_NPROC counts what the user runs outside of the sandbox: until Linux 5.13."""
    major, minor = os.uname().release.split(".")[:2]
    number = "".join(filter(str.isdigit, minor)) or "0"
    return (int(major), int(number)) < (5, 14)


def parse_size(name: str, value: float | str) -> int:
    """Return a number of bytes.

    Raises:
        SandboxOptionError: It is not a size.
    """
    try:
        return int(_SIZE.validate_python(value))
    except ValidationError as error:
        raise SandboxOptionError(
            f"the limit {name} is {value!r}; it must be a number of bytes, or text such as '64MiB'"
        ) from error
