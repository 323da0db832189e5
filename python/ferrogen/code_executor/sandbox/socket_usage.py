"""The most memory that the kernel may use for the sockets of a run.

The kernel does not say what a socket uses. It limits it, as long as the code cannot raise that
limit, which the seccomp filter denies.
"""

import functools
from contextlib import suppress
from pathlib import Path

_OVERHEAD = 1 << 15
_TABLES = ("tcp", "tcp6")


def socket_usage(pid: int, opened: int, *, own_network: bool) -> int:
    """Return bytes.

    Args:
        pid: A process of the run.
        opened: How many sockets its processes have open.
        own_network: Whether the run has a network namespace, whose sockets can be counted: also
            those that wait in another socket.
    """
    if not own_network:
        return opened * _most_of_socket()
    counts = _socket_counts(pid)
    used = max(opened, counts.get("sockets", 0))
    busy = _busy_directions(pid) if counts.get("TCP") or counts.get("TCP6") else (0, 0)
    return used * _most_of_socket() + sum(
        count * most for count, most in zip(busy, _most_of_tcp(), strict=True)
    )


def _socket_counts(pid: int) -> dict[str, int]:
    counts: dict[str, int] = {}
    for file in ("sockstat", "sockstat6"):
        with suppress(OSError, ValueError, IndexError):
            for line in Path(f"/proc/{pid}/net/{file}").read_text(encoding="ascii").splitlines():
                name, _, numbers = line.partition(":")
                counts[name] = int(numbers.split()[1])
    return counts


def _busy_directions(pid: int) -> tuple[int, int]:
    """Return the numbers of TCP connections that have something to send, and to receive."""
    sending = receiving = 0
    for table in _TABLES:
        with suppress(OSError, ValueError, IndexError):
            lines = Path(f"/proc/{pid}/net/{table}").read_text(encoding="ascii").splitlines()
            for line in lines[1:]:
                to_send, _, to_receive = line.split()[4].partition(":")
                sending += int(to_send, 16) > 0
                receiving += int(to_receive, 16) > 0
    return sending, receiving


@functools.cache
def _most_of_socket() -> int:
    return max(_setting("core/wmem_default"), _setting("core/rmem_default")) + _OVERHEAD


@functools.cache
def _most_of_tcp() -> tuple[int, int]:
    return _setting("ipv4/tcp_wmem"), _setting("ipv4/tcp_rmem")


def _setting(name: str) -> int:
    """Return a number of bytes, of several the last one, which is the most."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/sys/net", name).read_text(encoding="ascii").split()[-1])
    return 1 << 18
