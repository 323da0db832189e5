"""A program that runs a command and ends with its parent, and leaves no process behind.

It is run as a script, and imports nothing of Ferrogen, so that it starts fast:
``python -I -S keeper.py PARENT COMMAND [ARGUMENT...]``. The command has its stdin, stdout and
stderr. When the command ends, when the parent or this program ends (however they do), or on
SIGTERM, all that the command has started is killed, also what has left its process group.

That is done by a child in a session of its own, the keeper: the parent can kill this program and
its process group.
"""

import ctypes
import os
import select
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
# In seconds: how long the command may take to end by itself after SIGTERM.
_GRACE = 1.0


def main(parent: int, command: list[str]) -> int:
    """Run a command, and return its exit code.

    Args:
        parent: The process with which it ends.
        command: The command and its arguments.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    wake_reader = _listen()
    if _end_of(parent) is None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    own = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        try:
            os._exit(_keep(parent, own, command, libc))
        finally:
            os._exit(1)
    _leave_streams()
    while True:
        select.select([wake_reader], [], [])
        if signal.SIGTERM in _read(wake_reader):
            _signal(keeper, signal.SIGTERM)
        code = _reap(keeper)
        if code is not None:
            return code


def _keep(parent: int, launcher: int, command: list[str], libc: ctypes.CDLL) -> int:
    """Start a command, and kill all that it has started when it, or another process, ends."""
    os.setsid()
    # Processes whose parents ended become children of this one, so that they can be found.
    libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    wake_reader = _listen()
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    parent_end = _end_of(parent)
    if os.getppid() != launcher or not _is_parent(parent, launcher):
        return 1  # one of them has ended already
    keeper = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, keeper, libc)
    _leave_streams()
    return _watch(child, parent_end, wake_reader)


def _listen() -> int:
    """Return a file from which the numbers of signals can be read as they come."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return reader


def _leave_streams() -> None:
    """Leave the command the only ends of its pipes."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)


def _end_of(process: int) -> int | None:
    """Return a file that can be read when a process has ended, where the system has that.

    Elsewhere the launcher gets a signal when the thread of the parent that started it ends.
    """
    try:
        return os.pidfd_open(process)
    except (AttributeError, OSError):
        return None


def _is_parent(parent: int, child: int) -> bool:
    fields = _stat(child)
    return fields is not None and int(fields[1]) == parent


def _become(command: list[str], keeper: int, libc: ctypes.CDLL) -> None:
    try:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == keeper:
            os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _watch(child: int, parent_end: int | None, wake_reader: int) -> int:
    poll = select.poll()
    poll.register(wake_reader, select.POLLIN)
    if parent_end is not None:
        poll.register(parent_end, select.POLLIN)
    while True:
        events = dict(poll.poll())
        signals = _read(wake_reader) if wake_reader in events else b""
        code = _reap(child)
        if code is not None:
            _kill_all()
            return code
        if parent_end in events or signal.SIGTERM in signals:
            break
    _signal(child, signal.SIGTERM)
    poll = select.poll()
    poll.register(wake_reader, select.POLLIN)
    code, deadline = None, time.monotonic() + _GRACE
    while code is None and poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        _read(wake_reader)
        code = _reap(child)
    _kill_all()
    return 128 + signal.SIGTERM if code is None else code


def _read(file: int) -> bytes:
    try:
        return os.read(file, 4096)
    except BlockingIOError:
        return b""


def _reap(child: int) -> int | None:
    """Bury children that have ended, and return the exit code of one of them, if it has."""
    code = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if ended == 0:
            return code
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            code = 128 - code if code < 0 else code


def _kill_all() -> None:
    """Kill the children until there are none: those of killed ones become children, too."""
    own = os.getpid()
    while True:
        for process in _children_of(own):
            _signal(process, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _signal(process: int, number: int) -> None:
    try:  # noqa: SIM105 - contextlib takes long to import
        os.kill(process, number)
    except ProcessLookupError:
        pass


def _children_of(process: int) -> list[int]:
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208 - pathlib takes long to import
        if name.isdigit():
            fields = _stat(int(name))
            if fields is not None and int(fields[1]) == process:
                found.append(int(name))
    return found


def _stat(process: int) -> list[bytes] | None:
    """Return the fields of a process from its state on, or None if it has ended."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123 - the same
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
