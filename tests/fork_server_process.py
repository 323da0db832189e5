"""The process of a fork server: imports modules, and forks a program for each order."""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
import threading
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, TextIO

SIZE = 1 << 20


def listen(listener: socket.socket) -> list[str]:
    """Fork a process for each client; return in the forks of programs.

    It ends when the input has ended and no client is left: that of another worker of pytest-xdist
    may be in its last tests.
    """
    waiting = select.poll()
    waiting.register(listener, select.POLLIN)
    waiting.register(sys.stdin, select.POLLIN)
    clients: set[int] = set()
    has_input = True
    while has_input or clients:
        for descriptor, _ in waiting.poll(None if has_input else 20):
            if descriptor != listener.fileno():
                waiting.unregister(descriptor)
                has_input = False
                continue
            connection, _ = listener.accept()
            client = os.fork()
            if client == 0:
                listener.close()
                return serve(connection)
            clients.add(client)
            connection.close()
        clients = {one for one in clients if os.waitpid(one, os.WNOHANG) == (0, 0)}
    os._exit(0)


def serve(connection: socket.socket) -> list[str]:
    """Fork a child for each order; return its command line in the child."""
    connection.send(b"ready")
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
        status = ended(child, connection)
        connection.send(json.dumps(os.waitstatus_to_exitcode(status)).encode())


def ended(child: int, connection: socket.socket) -> int:
    """Wait for a program, and kill it if its client ends first."""
    handle = os.pidfd_open(child)
    waiting = select.poll()
    waiting.register(handle, select.POLLIN)
    waiting.register(connection, select.POLLHUP)
    if all(descriptor != handle for descriptor, _ in waiting.poll()):
        os.kill(child, signal.SIGKILL)
    os.close(handle)
    _, status = os.waitpid(child, 0)
    return status


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
    """Do what `python PATH` does."""
    sys.argv = [path, *arguments]
    sys.path.insert(0, str(Path(path).resolve().parent))
    run_text(Path(path).read_bytes(), path, __file__=path)


def run_command(text: str, arguments: list[str]) -> None:
    """Do what `python -c TEXT` does."""
    sys.argv = ["-c", *arguments]
    sys.path.insert(0, "")
    run_text(text, "<string>")


def run_text(text: str | bytes, name: str, **attributes: str) -> None:
    """Run it in a new module, which stays `__main__` to the end."""
    module = ModuleType("__main__")
    vars(module).update(attributes)
    sys.modules["__main__"] = module
    exec(compile(text, name, "exec", dont_inherit=True), vars(module))


def run(first: str, *rest: str) -> None:
    """Run a file, a module or a text."""
    if first == "-m":
        run_module(rest[0], list(rest[1:]))
    elif first == "-c":
        run_command(rest[0], list(rest[1:]))
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


def main(finalizing: str, *modules: str) -> None:
    """Import the modules, then serve; in a child, run the program."""
    listener = socket.socket(fileno=int(os.environ.pop("FORK_LISTENER")))
    del sys.path[0]  # the folder of this file
    for module in modules:
        importlib.import_module(module)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:  # a fork has only one of them
        fail(f"{', '.join(modules)}: {threads} threads are running after their import")
    gc.collect()
    gc.freeze()  # or each program would traverse and copy all of it, at its end at the latest
    arguments = listen(listener)
    if int(finalizing):
        run(*arguments)
    else:
        run_without_finalization(*arguments)


def fail(sentence: str) -> NoReturn:
    """End the server."""
    sys.exit(f"fork server: {sentence}")


if __name__ == "__main__":
    main(*sys.argv[1:])
