"""The seccomp filter of the sandbox, as a program of classic BPF.

The rules are few, and the filter is needed on bare machines, so it is assembled here instead of by
libseccomp. x86-64 and aarch64 are supported. System calls that are newer than this file do not
exist for sandboxed code.
"""

import errno
import functools
import platform
import struct
from collections.abc import Iterator

from ferrogen.code_executor.sandbox.syscall_numbers import SYSCALLS
from ferrogen.exceptions import SandboxUnavailableError

# By the name of the machine: its column in the table, and its constant in <linux/audit.h>.
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
_X32_BIT = 0x40000000
_NEWEST = 467

_LOAD, _JUMP_EQUAL, _JUMP_GREATER, _JUMP_ANY_BIT, _RETURN = 0x20, 0x15, 0x25, 0x45, 0x06
_AND = 0x54
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data
_ALLOW, _KILL, _ERROR = 0x7FFF0000, 0x80000000, 0x00050000

# CLONE_NEW{NS,CGROUP,UTS,IPC,USER,PID,NET}
_NAMESPACES = 0x7E020000
_CLONE_THREAD, _CLONE_FILES = 0x10000, 0x400
_CLOSE_RANGE_UNSHARE = 2
# SO_SNDBUF, SO_RCVBUF, SO_SNDBUFFORCE and SO_RCVBUFFORCE of SOL_SOCKET
_SOCKET_LEVEL, _BUFFERS = 1, (7, 8, 32, 33)
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
# AF_UNIX, AF_INET, AF_INET6, AF_NETLINK; some others, such as AF_VSOCK, have no namespaces.
_FAMILIES = (1, 2, 10, 16)
_LINUX_PERSONALITY, _ASK_PERSONALITY = 0, 0xFFFFFFFF

# What glibc and libraries replace by something else when it does not exist.
_MISSING = (
    "clone3",
    "memfd_create",
    "memfd_secret",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
)

_DENIED = (
    # other processes, and their memory
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp"),
    # keyrings
    *("keyctl", "add_key", "request_key"),
    # namespaces and mounts
    *("unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree"),
    *("fsopen", "fsconfig", "fsmount", "fspick", "mount_setattr"),
    *("name_to_handle_at", "open_by_handle_at", "fanotify_init", "fanotify_mark"),
    # the kernel
    *("bpf", "perf_event_open", "userfaultfd", "kexec_load", "kexec_file_load", "init_module"),
    *("finit_module", "delete_module", "create_module", "get_kernel_syms", "query_module"),
    *("reboot", "swapon", "swapoff", "acct", "quotactl", "quotactl_fd", "syslog", "sethostname"),
    *("setdomainname", "iopl", "ioperm", "modify_ldt", "vhangup", "nfsservctl", "lookup_dcookie"),
    *("uselib", "_sysctl", "sysfs", "ustat", "mbind", "set_mempolicy", "set_mempolicy_home_node"),
    *("migrate_pages", "move_pages"),
    # the clock
    *("clock_settime", "clock_adjtime", "adjtimex", "settimeofday"),
    # memory that no limit of a process counts
    *("shmget", "shmat", "shmctl", "shmdt", "msgget", "msgsnd", "msgrcv", "msgctl"),
    *("semget", "semop", "semctl", "semtimedop", "mq_open", "mq_unlink"),
)

# Without namespaces: sockets, and what Landlock does not control.
_DENIED_WITHOUT_NAMESPACES = (
    *("socket", "prlimit64", "setpriority", "sched_setaffinity", "sched_setscheduler"),
    *("sched_setparam", "sched_setattr", "ioprio_set"),
    *("chmod", "fchmodat", "fchmodat2", "chown", "lchown", "fchownat", "utime", "utimes"),
    *("futimesat", "utimensat", "setxattr", "lsetxattr", "removexattr", "lremovexattr"),
    *("setxattrat", "removexattrat", "inotify_add_watch"),
)


@functools.cache
def filter_program(*, namespaces: bool = True, machine: str | None = None) -> bytes:
    """Return the filter, as an array of ``struct sock_filter``.

    Args:
        namespaces: Whether the code runs in namespaces of its own; without them more is denied.
        machine: The architecture, as ``platform.machine()`` names it; by default this one's.

    Raises:
        SandboxUnavailableError: The architecture is not supported.
    """
    machine = machine or platform.machine()
    if machine not in _ARCHITECTURES:
        raise SandboxUnavailableError(
            f"the sandbox has no seccomp filter for {machine}; it supports"
            f" {', '.join(_ARCHITECTURES)}: run the program on such a machine"
        )
    column, constant = _ARCHITECTURES[machine]
    return b"".join(
        struct.pack("=HBBI", *instruction)
        for instruction in _instructions(column, constant, namespaces)
    )


_Instruction = tuple[int, int, int, int]


def _instructions(column: int, constant: int, namespaces: bool) -> Iterator[_Instruction]:
    yield (_LOAD, 0, 0, _ARCHITECTURE)
    yield (_JUMP_EQUAL, 1, 0, constant)
    yield (_RETURN, 0, 0, _KILL)
    yield (_LOAD, 0, 0, _NUMBER)
    # The x32 calls of x86-64, too, are greater.
    yield (_JUMP_GREATER, 0, 1, _NEWEST)
    yield _error(errno.ENOSYS)
    denied = _DENIED if namespaces else (*_DENIED, *_DENIED_WITHOUT_NAMESPACES)
    for names, number in ((_MISSING, errno.ENOSYS), (denied, errno.EPERM)):
        for name in names:
            if SYSCALLS[name][column] is not None:
                yield from _if_called(name, column, [_error(number)])
    yield from _if_called("clone", column, _CLONE)
    unshare = [(_JUMP_ANY_BIT, _CLOSE_RANGE_UNSHARE)]
    yield from _if_called("close_range", column, _argument(2, unshare, errno.EPERM))
    yield from _if_called("setsockopt", column, _SETSOCKOPT)
    terminal = [(_JUMP_EQUAL, _TIOCSTI), (_JUMP_EQUAL, _TIOCLINUX)]
    yield from _if_called("ioctl", column, _argument(1, terminal, errno.EPERM))
    if namespaces:
        families = [(_JUMP_EQUAL, family) for family in _FAMILIES]
        yield from _if_called("socket", column, _unless(0, families, errno.EAFNOSUPPORT))
    else:
        yield from _if_called("socketpair", column, _SOCKETPAIR)
    allowed = [(_JUMP_EQUAL, _LINUX_PERSONALITY), (_JUMP_EQUAL, _ASK_PERSONALITY)]
    yield from _if_called("personality", column, _unless(0, allowed, errno.EPERM))
    yield (_RETURN, 0, 0, _ALLOW)


def _if_called(name: str, column: int, then: list[_Instruction]) -> Iterator[_Instruction]:
    number = SYSCALLS[name][column]
    if number is None:
        raise LookupError(f"{name} has no number in the table")
    yield (_JUMP_EQUAL, 0, len(then), number)
    yield from then


def _argument(index: int, tests: list[tuple[int, int]], number: int) -> list[_Instruction]:
    """Fail the call if a test of its argument is true, and allow it otherwise."""
    # The lower half of the argument, which is what the kernel reads of these.
    checks = [(code, len(tests) - place, 0, value) for place, (code, value) in enumerate(tests)]
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * index),
        *checks,
        (_RETURN, 0, 0, _ALLOW),
        _error(number),
    ]


def _unless(index: int, tests: list[tuple[int, int]], number: int) -> list[_Instruction]:
    """Allow the call if a test of its argument is true, and fail it otherwise."""
    checks = [(code, len(tests) - place, 0, value) for place, (code, value) in enumerate(tests)]
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * index),
        *checks,
        _error(number),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _and_if(index: int, value: int, then: list[_Instruction]) -> list[_Instruction]:
    """Go on with more tests if an argument is equal to a value, and allow the call otherwise."""
    return [
        (_LOAD, 0, 0, _ARGUMENTS + 8 * index),
        (_JUMP_EQUAL, 1, 0, value),
        (_RETURN, 0, 0, _ALLOW),
        *then,
    ]


def _error(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERROR | number)


# No namespaces, and no threads that have files of their own, which the watch would not find.
_CLONE = [
    (_LOAD, 0, 0, _ARGUMENTS),
    (_JUMP_ANY_BIT, 2, 0, _NAMESPACES),
    (_AND, 0, 0, _CLONE_THREAD | _CLONE_FILES),
    (_JUMP_EQUAL, 0, 1, _CLONE_THREAD),
    _error(errno.EPERM),
    (_RETURN, 0, 0, _ALLOW),
]
# No larger buffers of sockets: they are memory of the kernel, which the watch only estimates.
_SETSOCKOPT = _and_if(
    1,
    _SOCKET_LEVEL,
    _argument(2, [(_JUMP_EQUAL, buffer) for buffer in _BUFFERS], errno.EPERM),
)
# No pairs of datagram sockets, which could send to others, too: only SOCK_STREAM, SOCK_SEQPACKET.
_SOCKETPAIR = [
    (_LOAD, 0, 0, _ARGUMENTS + 8),
    (_AND, 0, 0, 0xF),
    (_JUMP_EQUAL, 2, 0, 1),
    (_JUMP_EQUAL, 1, 0, 5),
    _error(errno.EPERM),
    (_RETURN, 0, 0, _ALLOW),
]
