"""A started process of the sandbox: its output, its end, and how it is ended.

The processes are started on the event loop's own thread: the kernel kills them when the thread that
started them ends.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from tempfile import TemporaryFile
from typing import Any, Literal

Stream = Literal["stdout", "stderr"]
OnData = Callable[[Stream, bytes], None]


def ignore(stream: Stream, data: bytes) -> None:
    """Take output that is not wanted."""


_P_PIDFD = 3
_READ_SIZE = 1 << 16
_SIZE_OF_INT = 4
_LEAST_PIPE = 1 << 12  # a pipe holds that much even if the user has many
_PIDFD_OPEN = 434  # the same on every architecture


class PipeReader:
    """Passes on what arrives in a pipe, on the event loop, and knows the end.

    Args:
        descriptor: The reading end, which is closed at the end.
        on_data: Called with each part.
    """

    def __init__(self, descriptor: int, on_data: Callable[[bytes], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._descriptor, self._on_data = descriptor, on_data
        os.set_blocking(descriptor, False)
        self._loop.add_reader(descriptor, self._read)

    def close(self) -> None:
        """Stop reading."""
        if not self.ended.done():
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self.ended.set_result(None)

    def read_available(self) -> None:
        """Read what is in the pipe now, and nothing that is written meanwhile."""
        import fcntl  # only Unix has it
        import termios

        if not self.ended.done():
            size = bytearray(_SIZE_OF_INT)
            fcntl.ioctl(self._descriptor, termios.FIONREAD, size)
            if left := int.from_bytes(size, sys.byteorder):
                self._on_data(os.read(self._descriptor, left))

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _READ_SIZE)
        except BlockingIOError:
            return
        if data:
            self._on_data(data)
        else:
            self.close()


class PipeWriter:
    """Writes to a pipe, on the event loop, as fast as the other side reads.

    Args:
        descriptor: The writing end.
        on_broken: Called when there is something to write, and nothing reads any more.
    """

    def __init__(self, descriptor: int, on_broken: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor, self._on_broken = descriptor, on_broken
        self._waiting = bytearray()
        os.set_blocking(descriptor, False)

    def write(self, data: bytes) -> None:
        """Write some data, now or later."""
        self._waiting += data
        self._write()

    def close(self) -> None:
        """Write no more."""
        self._loop.remove_writer(self._descriptor)
        os.close(self._descriptor)

    def _write(self) -> None:
        try:
            del self._waiting[: os.write(self._descriptor, self._waiting)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._waiting.clear()
            self._on_broken()
        if self._waiting:
            self._loop.add_writer(self._descriptor, self._write)
        else:
            self._loop.remove_writer(self._descriptor)


class SandboxProcess:
    """The outermost process of a run.

    Args:
        command: The program and its arguments.
        pass_fds: Descriptors that the program inherits.
        options: Further arguments of ``subprocess.Popen``.
    """

    def __init__(
        self, command: Sequence[str], pass_fds: Sequence[int], options: Mapping[str, Any]
    ) -> None:
        self.setup_errors: Callable[[int], str | None] = _no_errors
        self.ends_when_asked = self.own_network = False
        self._innermost: int | None = None
        self._gone: list[asyncio.Future[None]] = []
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            env={},
            pass_fds=pass_fds,
            **options,
        )
        self.pid = self.tree = self._popen.pid
        self._readers: list[PipeReader] = []
        self._outermost = self._follow(self.pid)

    def read_output(self, on_data: OnData) -> None:
        """Read stdout and stderr in the event loop."""

        def stdout(data: bytes) -> None:
            on_data("stdout", data)

        def stderr(data: bytes) -> None:
            on_data("stderr", data)

        for pipe, sink in ((self._popen.stdout, stdout), (self._popen.stderr, stderr)):
            assert pipe is not None
            self._readers.append(PipeReader(os.dup(pipe.fileno()), sink))
            pipe.close()

    def read_available_output(self) -> None:
        """Read what is in the pipes of stdout and stderr now."""
        for reader in self._readers:
            reader.read_available()

    def follow_innermost(self, pid: int) -> None:
        """Regard another process, with whose end all of its namespaces end, as a part of this."""
        self._innermost = self._follow(pid)
        self.tree, self.own_network = pid, True

    def kill(self) -> None:
        """End everything.

        The kernel kills all of a namespace with its innermost process. A supervisor that the code
        cannot signal, `ends_when_asked`, kills the others first.
        """
        descriptor = self._outermost if self._innermost is None else self._innermost
        number = signal.SIGTERM if self.ends_when_asked else signal.SIGKILL
        with suppress(ProcessLookupError):
            _send_signal(descriptor, number)

    async def wait(self) -> int:
        """Wait until every process has ended and all output was read; return the exit code."""
        await asyncio.gather(*self._gone, *(reader.ended for reader in self._readers))
        return self._popen.wait()  # it has ended: this only takes the exit code

    def close(self) -> None:
        """Release the descriptors, after the end."""
        if self._innermost is not None:
            # bubblewrap does not wait for it. Usually init does; in a container that may be us.
            with suppress(ChildProcessError):
                os.waitid(_P_PIDFD, self._innermost, os.WEXITED | os.WNOHANG)
        for descriptor in (self._outermost, self._innermost):
            if descriptor is not None:
                os.close(descriptor)

    def _follow(self, pid: int) -> int:
        loop = asyncio.get_running_loop()
        descriptor = open_process(pid)
        gone: asyncio.Future[None] = loop.create_future()

        def ended() -> None:
            loop.remove_reader(descriptor)
            if not gone.done():
                gone.set_result(None)

        loop.add_reader(descriptor, ended)
        self._gone.append(gone)
        return descriptor


def readable(data: bytes) -> int:
    """Return a descriptor from which a program reads some bytes."""
    if len(data) > _LEAST_PIPE:
        with TemporaryFile() as file:
            file.write(data)
            file.seek(0)
            return os.dup(file.fileno())
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.write(writing, data)
    os.close(writing)
    return reading


def _no_errors(exit_code: int) -> None:
    return None


def open_process(pid: int) -> int:
    """Return a descriptor of a process, readable when it has ended."""
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(pid)
    # Python was built with headers from before Linux 5.3.
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor: int = libc.syscall(_PIDFD_OPEN, pid, 0)
    if descriptor < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    os.set_inheritable(descriptor, False)
    return descriptor


_PIDFD_SEND_SIGNAL = 424


def _send_signal(descriptor: int, number: int) -> None:
    if hasattr(signal, "pidfd_send_signal"):
        signal.pidfd_send_signal(descriptor, number)
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(_PIDFD_SEND_SIGNAL, descriptor, number, None, 0) < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
