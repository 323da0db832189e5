"""Servers of statistics: what `ferrogen top` reads from a running process, over a Unix socket."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import socket
import stat
import sys
import tempfile
import weakref
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

from typing_extensions import Self

from ferrogen._core import __version__
from ferrogen.runtime.log import log
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

__all__ = ["STATS", "StatsServer", "serve_by_environment", "stats_folder"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)

STATS = "FERROGEN_STATS"
"""The environment variable that lets each runtime serve its statistics while it is started."""

_NUMBERS = count(1)
_READ_SECONDS = 10.0


class StatsServer:
    """Serves the statistics of a runtime over a Unix socket, until it is closed.

    Each connection gets one JSON document, and is closed. Only the user of the process may connect.
    `SingleThreadedAgentRuntime.serve_stats` makes one, and closes it when the runtime stops.

    Args:
        snapshot: Returns the statistics, as a dict for JSON.
        path: The path of the socket; by default a new one in the folder where `ferrogen top` looks.

    Raises:
        FileExistsError: Another process or runtime serves statistics there, or there is a file that
            is not a socket.
        ValueError: The path is too long for a socket.
        OSError: No socket can be made there.
        RuntimeError: No event loop is running.

    Example:
        ```python
        import asyncio
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from ferrogen import SingleThreadedAgentRuntime


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            with TemporaryDirectory() as folder:
                async with runtime, runtime.serve_stats(Path(folder) / "stats.sock") as server:
                    reader, writer = await asyncio.open_unix_connection(server.path)
                    assert b'"handled": 0' in await reader.read()
                    writer.close()


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen"

    def __init__(
        self, snapshot: Callable[[], dict[str, Any]], path: str | os.PathLike[str] | None = None
    ) -> None:
        loop = asyncio.get_running_loop()
        self._snapshot = snapshot
        self._number = next(_NUMBERS)
        if path is None:
            path = stats_folder(create=True) / f"{os.getpid()}-{self._number}.sock"
        self.path = Path(path).absolute()
        """The path of the socket."""
        self._socket = _listen(self.path)
        # Also at the end of a process that does not stop its runtimes.
        self._remove = weakref.finalize(
            self, _remove, self.path, self.path.lstat().st_ino, os.getpid()
        )
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._started = loop.create_task(self._start())

    async def _start(self) -> None:
        self._server = await asyncio.start_unix_server(self._respond, sock=self._socket)

    def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        document = {
            "ferrogen": __version__,
            "pid": os.getpid(),
            "program": sys.argv[0] if sys.argv else "",
            "runtime": self._number,
            "time": asyncio.get_running_loop().time(),
            "stats": self._snapshot(),
        }
        writer.write(json.dumps(document).encode() + b"\n")
        writer.close()
        # A reader that does not read must not keep the document forever.
        loop = asyncio.get_running_loop()
        timer = loop.call_later(_READ_SECONDS, writer.transport.abort)
        self._writers.add(writer)
        closing = loop.create_task(_closed(writer))

        def forget(_: asyncio.Task[None]) -> None:
            timer.cancel()
            self._writers.discard(writer)

        closing.add_done_callback(forget)

    def close(self) -> None:
        """Stop serving, and remove the socket. A second call does nothing."""
        self._started.cancel()
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for writer in self._writers:
            writer.transport.abort()
        self._remove()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


async def _closed(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # the reader has left
        await writer.wait_closed()


def serve_by_environment(serve: Callable[..., object], where: str) -> None:
    """Serve the statistics of a runtime that is started. A failure is logged: the program runs on.

    Args:
        serve: The method `serve_stats` of the runtime.
        where: "1", or the path of the socket. Further runtimes get paths with a number at the end.
    """
    try:
        if where == "1":
            serve()
            return
        taken = 1
        while _is_served(where if taken == 1 else f"{where}.{taken}"):
            taken += 1
        serve(where if taken == 1 else f"{where}.{taken}")
    except (OSError, ValueError) as error:
        text = "the statistics of a runtime cannot be served (%s=%s): %s"
        log(_logger, logging.ERROR, text, STATS, where, error)


def stats_folder(*, create: bool = False) -> Path:
    """Return the folder of the sockets of this user's processes.

    Args:
        create: Whether to make the folder if it does not exist.

    Raises:
        PermissionError: It belongs to another user, or others may enter it.
    """
    base = os.environ.get("XDG_RUNTIME_DIR")
    folder = (
        Path(base, "ferrogen") if base else Path(tempfile.gettempdir(), f"ferrogen-{os.getuid()}")
    )
    if create:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif not folder.exists():
        return folder
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise PermissionError(
            errno.EACCES, "it must be a folder of this user, closed to others", str(folder)
        )
    return folder


def _listen(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # The mode of the file that `bind` makes.
        os.fchmod(listening.fileno(), 0o600)
        try:
            listening.bind(str(path))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            _remove_stale(path)
            listening.bind(str(path))
        path.chmod(0o600)
        listening.listen()
        listening.setblocking(False)
    except BaseException as error:
        listening.close()
        if isinstance(error, OSError) and "too long" in str(error):
            raise ValueError(
                f"the path of a socket has at most 107 bytes; choose a shorter one than {path}"
            ) from None
        raise
    return listening


def _is_served(path: str) -> bool:
    """Whether a process listens at the path."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except BlockingIOError:
            return True  # many wait for it to accept them
        except OSError:
            return False
    return True


def _remove_stale(path: Path) -> None:
    """Remove the socket of a process that has ended.

    Raises:
        FileExistsError: It is in use, or not a socket.
    """
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise FileExistsError(errno.EEXIST, "there is a file that is not a socket", str(path))
    if not _is_served(str(path)):
        path.unlink(missing_ok=True)
        return
    raise FileExistsError(errno.EEXIST, "another runtime serves its statistics here", str(path))


def _remove(path: Path, inode: int, process: int) -> None:
    """Remove a socket, unless another one has its path, or a fork of its process ends."""
    try:
        if os.getpid() == process and path.lstat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        pass
