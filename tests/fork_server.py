"""Fork server: programs that start from an interpreter which has imported the heavy packages.

Each program runs in a fork of its own, with its own arguments, environment, folder and exit status.
Only the imports are shared, which take most of the time of a short program. At its end its threads,
exit functions and own objects are finalized, but not the imported modules, which would take most of
the rest. A program that is about how an interpreter starts needs a new one: use `subprocess`.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

SIZE = 1 << 20
LONGEST_WAIT = 120
FOREIGN = ("FERROGEN_INSTALL", "FERROGEN_PLAIN_TASKS")
PROCESS = Path(__file__).with_name("fork_server_process.py")
PYTHON = Path(__file__).with_name("forked_python.py")


class ForkServer:
    """An interpreter that has imported `modules` and runs programs in forks.

    Programs of one object run one after the other. Objects with the same `run_id` and equal
    arguments share one interpreter, also when they are in different processes.

    Args:
        modules: What to import before the first program.
        python: The interpreter.
        flags: Its options, such as `-W error`.
        installed: Whether autogen_core is Ferrogen, as under `ferrogen run`.
        finalizing: Whether a program ends with the finalization of its whole interpreter.
        run_id: Identifies the test run.
    """

    def __init__(
        self,
        *modules: str,
        python: str = sys.executable,
        flags: Sequence[str] = (),
        installed: bool = False,
        finalizing: bool = False,
        run_id: str | None = None,
    ) -> None:
        self.installed = installed
        command = [python, *flags, str(PROCESS), str(int(finalizing)), *modules]
        kind = json.dumps([run_id or uuid4().hex, installed, command])
        self.name = f"ferrogen-{hashlib.sha256(kind.encode()).hexdigest()[:32]}"
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - see close()
        self.process = self._started(command)
        self.connection = self._connected()

    def _started(self, command: list[str]) -> subprocess.Popen[bytes] | None:
        """Start the process, unless another object has started it."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
            try:
                listener.bind(f"\0{self.name}")
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return None
                raise
            listener.listen()
            return subprocess.Popen(
                command,
                env=self.environment(
                    {**os.environ, "NO_COLOR": "1", "FORK_LISTENER": str(listener.fileno())}
                ),
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=self.errors,
            )

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            connect(connection, self.name)
        except OSError as error:
            connection.close()
            if self.process is not None:
                self.process.communicate()
            self.errors.seek(0)
            words = self.errors.read().decode() or "another object has started it"
            self.errors.close()
            raise RuntimeError(f"the fork server did not start:\n{words}") from error
        return connection

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """The environment of a program, which says whether autogen_core is Ferrogen."""
        clean = {name: value for name, value in given.items() if name not in FOREIGN}
        return {**clean, "FERROGEN_INSTALL": "1"} if self.installed else clean

    def executable(self, folder: Path) -> Path:
        """Write a program that takes the arguments of `python` and runs it in a fork."""
        path = folder / "python"
        command = [sys.executable, "-I", "-S", str(PYTHON), self.name]
        path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
        path.chmod(0o755)
        return path

    def start(
        self,
        *arguments: str,
        streams: Sequence[int],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> ForkedProgram:
        """Start a program with those descriptors as its input, output and errors."""
        environment = self.environment(os.environ if env is None else env)
        order = {"arguments": arguments, "cwd": str(cwd or Path.cwd()), "env": environment}
        socket.send_fds(self.connection, [json.dumps(order).encode()], list(streams))
        return ForkedProgram(self.connection, json.loads(self.connection.recv(SIZE)))

    def run(
        self,
        *arguments: str,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        text: str = "",
        timeout: float = 150,
    ) -> subprocess.CompletedProcess[str]:
        """Run `PROGRAM ARGUMENTS...`, `-m MODULE ...` or `-c TEXT ...` to its end."""
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as printed,
            tempfile.TemporaryFile() as complained,
        ):
            given.write(text.encode())
            given.seek(0)
            streams = [file.fileno() for file in (given, printed, complained)]
            program = self.start(*arguments, streams=streams, cwd=cwd, env=env)
            try:
                status = program.wait(timeout)
            except TimeoutError:
                program.kill()
                raise subprocess.TimeoutExpired(list(arguments), timeout) from None
            printed.seek(0)
            complained.seek(0)
            output, errors = printed.read().decode(), complained.read().decode()
        return subprocess.CompletedProcess(list(arguments), status, output, errors)

    def leave(self) -> None:
        """End the connection. The server ends when its starter and all others have left."""
        self.connection.close()
        if self.process is not None and self.process.stdin is not None:
            self.process.stdin.close()

    def close(self) -> None:
        """Leave, and wait for the end of the server, if this object has started it."""
        self.leave()
        if self.process is not None:
            try:
                self.process.wait(LONGEST_WAIT)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.errors.close()


def connect(connection: socket.socket, name: str) -> None:
    """Connect to a fork server, and wait until it has imported its modules.

    Raises:
        OSError: It did not start.
    """
    for _ in range(1000):
        try:
            connection.connect(f"\0{name}")
            break
        except ConnectionRefusedError:  # it is bound, and will listen
            time.sleep(0.001)
    if not connection.recv(SIZE):
        raise ConnectionResetError(errno.ECONNRESET, "the fork server has ended")


class ForkedProgram:
    """A program in a fork; the server starts the next one when it has ended."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.connection = connection
        self.pid = pid
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        """Send it a signal, unless it has ended."""
        if self.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout: float = 150) -> int:
        """Wait until it has ended; return its exit status.

        Raises:
            TimeoutError: It has not ended in time.
        """
        if self.returncode is None:
            self.connection.settimeout(timeout)
            try:
                self.returncode = int(json.loads(self.connection.recv(SIZE)))
            finally:
                self.connection.settimeout(None)
        return self.returncode

    def kill(self) -> None:
        """Kill it, unless it has ended."""
        self.send_signal(signal.SIGKILL)
        self.wait()
