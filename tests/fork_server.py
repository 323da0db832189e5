"""Fork server: programs that start from an interpreter which has imported the heavy packages.

Each program runs in a fork of its own, with its own arguments, environment, folder and exit status.
Only the imports are shared, which take most of the time of a short program. At its end its threads,
exit functions and own objects are finalized, but not the imported modules, which would take most of
the rest. A program that is about how an interpreter starts needs a new one: use `subprocess`.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TextIO

SIZE = 1 << 20
FOREIGN = ("FERROGEN_INSTALL", "FERROGEN_PLAIN_TASKS")


class ForkServer:
    """An interpreter that has imported `modules` and runs programs in forks, one at a time.

    Args:
        modules: What to import before the first program.
        python: The interpreter.
        flags: Its options, such as `-W error`.
        installed: Whether autogen_core is Ferrogen, as under `ferrogen run`.
        finalizing: Whether a program ends with the finalization of its whole interpreter.
    """

    def __init__(
        self,
        *modules: str,
        python: str = sys.executable,
        flags: Sequence[str] = (),
        installed: bool = False,
        finalizing: bool = False,
    ) -> None:
        self.installed = installed
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [python, *flags, __file__, str(theirs.fileno()), str(int(finalizing)), *modules],
                pass_fds=[theirs.fileno()],
                env=self.environment({**os.environ, "NO_COLOR": "1"}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        if not self.connection.recv(SIZE):
            self.connection.close()
            _, errors = self.process.communicate()
            raise RuntimeError(f"the fork server did not start:\n{errors.decode()}")

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """The environment of a program, which says whether autogen_core is Ferrogen."""
        clean = {name: value for name, value in given.items() if name not in FOREIGN}
        return {**clean, "FERROGEN_INSTALL": "1"} if self.installed else clean

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
        """Run `PROGRAM ARGUMENTS...` or `-m MODULE ARGUMENTS...` to its end."""
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

    def close(self) -> None:
        """End the server."""
        self.connection.close()
        self.process.communicate()


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


# ---- What follows runs in the server.


def serve(connection: socket.socket) -> list[str]:
    """Fork a child for each order; return its command line in the child."""
    while True:
        message, streams, _, _ = socket.recv_fds(connection, SIZE, 3)
        if not message:
            os._exit(0)
        order = json.loads(message)
        child = os.fork()
        if child == 0:
            connection.close()
            return prepare(order, streams)
        for stream in streams:
            os.close(stream)
        connection.send(json.dumps(child).encode())
        _, status = os.waitpid(child, 0)
        connection.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def prepare(order: dict[str, Any], streams: list[int]) -> list[str]:
    """Give the child its streams, its folder and its environment."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    # The objects made for the streams of the server have kept whether those are terminals or files.
    sys.stdin = sys.__stdin__ = reopened(sys.stdin, "r")
    sys.stdout = sys.__stdout__ = reopened(sys.stdout, "w")
    sys.stderr = sys.__stderr__ = reopened(sys.stderr, "w", buffering=1)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    added = os.environ.get("PYTHONPATH", "")
    sys.path[:0] = [path for path in added.split(os.pathsep) if path and path not in sys.path]
    arguments: list[str] = order["arguments"]
    return arguments


def reopened(stream: TextIO, mode: str, buffering: int = -1) -> Any:
    """A new object for the descriptor of a stream."""
    how = {"encoding": stream.encoding, "errors": stream.errors, "closefd": False}
    return os.fdopen(stream.fileno(), mode, buffering, **how)


def run_module(name: str, arguments: list[str]) -> None:
    """Do what `python -m NAME` does."""
    sys.argv = ["-m", *arguments]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(name, run_name="__main__", alter_sys=True)


def run_file(path: str, arguments: list[str]) -> None:
    """Do what `python PATH` does: in a new module, which stays `__main__` to the end."""
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).resolve().parent))
    module = ModuleType("__main__")
    module.__file__ = path
    sys.modules["__main__"] = module
    exec(compile(Path(path).read_bytes(), path, "exec", dont_inherit=True), vars(module))


def run(first: str, *rest: str) -> None:
    """Run a file or a module."""
    if first == "-m":
        run_module(rest[0], list(rest[1:]))
    else:
        run_file(first, list(rest))


def run_without_finalization(*arguments: str) -> NoReturn:
    """Run a program, and end as the interpreter does, but leave what is imported as it is."""
    status = 0
    interrupted = False
    try:
        run(*arguments)
    except SystemExit as error:
        status = int(error.code is not None)
        if isinstance(error.code, int):
            status = error.code
        elif status:
            print(error.code, file=sys.stderr)
    except BaseException as error:  # noqa: BLE001 - the interpreter would report it
        status = 1
        interrupted = isinstance(error, KeyboardInterrupt)
        sys.excepthook(type(error), error, error.__traceback__)
    threading._shutdown()
    atexit._run_exitfuncs()
    program = vars(sys.modules["__main__"])
    # What runs by its name is cleared by runpy. A daemon thread runs to the end.
    if program is not globals() and threading.active_count() == 1:
        program.clear()
        gc.collect()
    sys.stdout.flush()
    sys.stderr.flush()
    if interrupted:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)


def main(descriptor: str, finalizing: str, *modules: str) -> None:
    """Import the modules, then serve; in a child, run the program."""
    connection = socket.socket(fileno=int(descriptor))
    del sys.path[0]  # the folder of this file
    for module in modules:
        importlib.import_module(module)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:  # a fork has only one of them
        fail(f"{', '.join(modules)}: {threads} threads are running after their import")
    gc.collect()
    gc.freeze()  # or each program would traverse and copy all of it, at its end at the latest
    connection.send(b"ready")
    arguments = serve(connection)
    if int(finalizing):
        run(*arguments)
    else:
        run_without_finalization(*arguments)


def fail(sentence: str) -> NoReturn:
    """End the server."""
    sys.exit(f"fork server: {sentence}")


if __name__ == "__main__":
    main(*sys.argv[1:])
