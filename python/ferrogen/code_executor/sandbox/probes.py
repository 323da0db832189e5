"""Trials of single layers of the sandbox, in forked processes of the sandbox's user."""

import ctypes
import os
from collections.abc import Callable

from ferrogen.code_executor.sandbox.identity import Identity

_NEW_USER = 0x10000000
_NO_NEW_PRIVS, _SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = [
        ("length", ctypes.c_ushort),
        ("instructions", ctypes.c_char_p),
    ]


def error_as(identity: Identity, probe: Callable[[], str | None]) -> str | None:
    """Run a function in a forked process of a user, and return the error that it returns."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if identity.dropped:
                os.setgroups([])
                os.setgid(identity.gid)
                os.setuid(identity.uid)
            error = probe() or ""
        except BaseException as raised:  # noqa: BLE001 - reported
            error = f"{type(raised).__name__}: {raised}"
        os.write(writing, error.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        error = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if status != 0:
        return f"a trial ended with exit code {os.waitstatus_to_exitcode(status)}"
    return error or None


def make_user_namespace() -> str | None:
    """Make a user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    return None if libc.unshare(_NEW_USER) == 0 else os.strerror(ctypes.get_errno())


def enter_filter(instructions: bytes) -> str | None:
    """Install the sandbox's filter, and try what it denies."""
    libc = ctypes.CDLL(None, use_errno=True)
    zero, one = ctypes.c_ulong(0), ctypes.c_ulong(1)
    program = _Program(len(instructions) // 8, instructions)
    if libc.prctl(_NO_NEW_PRIVS, one, zero, zero, zero) != 0:
        return os.strerror(ctypes.get_errno())
    if libc.prctl(_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(program), zero, zero) != 0:
        return os.strerror(ctypes.get_errno())
    return "the filter has no effect" if libc.unshare(0) == 0 else None
