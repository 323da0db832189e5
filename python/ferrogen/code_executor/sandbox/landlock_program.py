"""The program that isolates code by Landlock and seccomp, for machines without user namespaces.

It is run as a text by a Python of its own, as ``python -I -S -c TEXT DESCRIPTOR``, and imports only
modules that Python loads fast: each run waits for them. It reads its options from the descriptor,
as ``marshal`` writes them.

Three processes: this one restricts itself to a Landlock domain that cannot signal anything outside.
Its child enters an inner domain, which cannot signal this one, and becomes the code. When the code
has ended, or this process is asked to end, it kills everything in its domain: no process of the
code can leave that, and all become its children.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # signal itself imports much
import ctypes
import marshal
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
PDEATHSIG, NO_NEW_PRIVS, SECCOMP, CHILD_SUBREAPER, FILTER = 1, 38, 22, 36, 2
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2
NET_BIND, NET_CONNECT = 1, 2
ALL_ACCESS = (1 << 16) - 1  # up to LANDLOCK_ACCESS_FS_IOCTL_DEV
EXECUTE, WRITE_FILE, READ_FILE, READ_FOLDER, TRUNCATE = 1, 2, 4, 8, 1 << 14
READ = EXECUTE | READ_FILE | READ_FOLDER
DEVICE = READ_FILE | WRITE_FILE | TRUNCATE
# Without sockets, device files and ioctl on devices.
WRITE = ALL_ACCESS & ~(1 << 6 | 1 << 9 | 1 << 11 | 1 << 15)
ON_FILES = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class Ruleset(ctypes.Structure):
    """``struct landlock_ruleset_attr``."""

    _fields_ = [(name, ctypes.c_uint64) for name in ("files", "net", "scoped")]


class Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def checked(result: int, what: str) -> int:
    """Return a result, or end this process: nothing may run less protected than it should."""
    if result < 0:
        sys.exit(f"sandbox: {what} failed: {os.strerror(ctypes.get_errno())}")
    return result


def prctl(option: int, value: int, pointer: Any = None) -> None:
    """Set an option of this process."""
    unsigned = ctypes.c_ulong
    result = libc.prctl(option, unsigned(value), pointer, unsigned(0), unsigned(0))
    checked(result, f"prctl {option}")


def restrict(rules: list[tuple[str, int]] | None) -> None:
    """Enter a domain: no files but those of the rules, no TCP, no signals to the outside."""
    files = ALL_ACCESS if rules is not None else 0
    scoped = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS
    attributes = Ruleset(files, NET_BIND | NET_CONNECT, scoped)
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(attributes), size, 0)
    checked(ruleset, "landlock_create_ruleset")
    for path, allowed in rules or ():
        try:
            opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        is_folder = stat.S_ISDIR(os.fstat(opened).st_mode)
        # struct landlock_path_beneath_attr, which is packed
        access = allowed if is_folder else allowed & ON_FILES
        rule = access.to_bytes(8, sys.byteorder) + opened.to_bytes(4, sys.byteorder)
        checked(libc.syscall(ADD_RULE, ruleset, 1, rule, 0), "landlock_add_rule")
        os.close(opened)
    checked(libc.syscall(RESTRICT_SELF, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def become_the_code(options: dict[str, Any], unblocked: set[Any]) -> None:
    """Enter the inner domain, and run the code in place of this process."""
    import resource  # only Unix has it

    for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGPIPE):
        _signal.signal(number, _signal.SIG_DFL)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, unblocked)
    os.chdir(options["folder"])
    for name, value in options["limits"].items():
        which = getattr(resource, name)
        _, hard = resource.getrlimit(which)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (least, least))
    proc = ["/proc/self", "/proc/cpuinfo", "/proc/meminfo"]
    read = [(path, READ) for path in (*options["readable"], *proc)]
    write = [(path, WRITE) for path in options["writable"]]
    devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"]
    restrict([*read, *write, *((path, DEVICE) for path in devices)])
    instructions: bytes = options["filter"]
    program = Program(len(instructions) // 8, instructions)
    first = 3
    for kept in sorted(options["descriptors"]):
        os.closerange(first, kept)
        first = kept + 1
    os.closerange(first, 1 << 16)
    prctl(SECCOMP, FILTER, ctypes.byref(program))
    command = options["command"]
    try:
        os.execve(command[0], command, options["variables"])
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def kill_all() -> None:
    """Kill every process of the domain but this one."""
    try:
        os.kill(-1, _signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def main() -> None:
    """Run the code and end with its exit code."""
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        options = marshal.load(file)
    os.setsid()
    prctl(CHILD_SUBREAPER, 1)
    # Blocked signals stay pending until they are waited for. A handler in Python would not run if
    # its signal came just before a blocking call.
    awaited = {_signal.SIGTERM, _signal.SIGCHLD}
    _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
    unblocked = _signal.pthread_sigmask(_signal.SIG_BLOCK, awaited)
    prctl(PDEATHSIG, _signal.SIGTERM)
    if os.getppid() != options["parent"]:
        sys.exit("sandbox: the program that started it has ended")
    prctl(NO_NEW_PRIVS, 1)
    restrict(None)
    # From here on, kill_all reaches this domain only.
    code = os.fork()
    if code == 0:
        become_the_code(options, unblocked)
    for descriptor in options["descriptors"]:
        os.close(descriptor)
    ended = status = 0
    while ended != code:
        if ended == 0 and _signal.sigwait(awaited) == _signal.SIGTERM:
            kill_all()
        ended, status = os.waitpid(-1, os.WNOHANG)  # the code, an orphan, or none
    try:
        while True:
            kill_all()
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass  # there is none left
    exit_code = os.waitstatus_to_exitcode(status)
    os._exit(128 - exit_code if exit_code < 0 else exit_code)


if __name__ == "__main__":
    main()
