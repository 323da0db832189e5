"""Measured use of memory, processor time and disk by the processes of a run.

What is measured is what hostile code cannot hide: the first thread of a process may have ended, and
pages and files may be used by nothing but a mapping.
"""

import ctypes
import functools
import mmap
import os
import platform
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ferrogen.code_executor.sandbox.syscall_numbers import SYSCALLS

_BLOCK = 512
_KCMP_VM = 1
_Inode = tuple[str, int]


@dataclass
class TreeUsage:
    """The resources that a process and its descendants use.

    Args:
        memory: Bytes of private and shared memory, shared pages counted once if it matters.
        cpu_time: Seconds of processor time, with those of processes that have ended.
        hidden: Bytes of files that are open or mapped and have no name any more, by inode.
        sockets: The inodes of open sockets.
    """

    memory: int = 0
    cpu_time: float = 0
    hidden: dict[_Inode, int] = field(default_factory=dict[_Inode, int])
    sockets: set[int] = field(default_factory=set[int])


@dataclass
class _Memory:
    """Bytes of one process: of its own, of shared pages that it has mapped, and of page tables."""

    own: int = 0
    shared: int = 0
    tables: int = 0

    @property
    def total(self) -> int:
        return self.own + self.shared + self.tables

    def add(self, other: "_Memory") -> None:
        self.own += other.own
        self.shared += other.shared
        self.tables += other.tables

    def with_mapped(self, mapped: int) -> int:
        """Return all of it, with shared memory that is mapped and not counted."""
        return self.own + self.tables + max(self.shared, mapped)


@dataclass
class _Process:
    folder: str
    memory: _Memory
    parent: int


def tree_usage(root: int, memory_limit: int, file_size: int) -> TreeUsage:
    """Measure a process and its descendants.

    Args:
        root: The id of the process.
        memory_limit: Up to this many bytes, the quicker and less exact count is enough.
        file_size: The most bytes of a file: the size of those whose size is not known.
    """
    usage, memory = TreeUsage(), _MemoryOfAll(memory_limit)
    shared: dict[_Inode, int] = {}
    for pid, parent in _tree(root):
        usage.cpu_time += _cpu_time(pid)
        memory.add(_Process(*_living_thread(pid), parent))
        if memory.exceeds(0):
            break  # the others would take their time, in which they can use more
    else:
        for process in memory.processes:
            _measure_descriptors(process.folder, usage)
        for process in memory.processes:
            _measure_mappings(process.folder, file_size, usage.hidden, shared)
        # Shared pages stay in use when they are mapped and no process has touched them lately.
        memory.exceeds(sum(shared.values()))
    usage.memory = memory.total
    return usage


class _MemoryOfAll:
    """The memory of processes: by the quick count, and only if that exceeds the limit, exactly.

    Forked processes share pages, which the quick count has several times, and vforked ones share
    everything.
    """

    def __init__(self, limit: int) -> None:
        self.processes: list[_Process] = []
        self.total = 0
        self._limit = limit
        self._quick, self._exact = _Memory(), _Memory()
        self._measured = self._largest = 0

    def add(self, process: _Process) -> None:
        self.processes.append(process)
        self._quick.add(process.memory)
        # One that ends before it is measured exactly has left what it had to a child.
        self._largest = max(self._largest, process.memory.total)

    def exceeds(self, mapped: int) -> bool:
        """Whether the limit is exceeded.

        Args:
            mapped: The bytes of shared memory that is mapped.
        """
        self.total = self._quick.with_mapped(mapped)
        if self.total <= self._limit:
            return False
        while self._measured < len(self.processes):
            process = self.processes[self._measured]
            self._measured += 1
            if not _shares_memory(process):
                self._exact.add(_proportional(process))
        self.total = max(self._exact.with_mapped(mapped), self._largest)
        return self.total > self._limit


def _tree(root: int) -> Iterator[tuple[int, int]]:
    """Return a process and its descendants, each with its parent."""
    yield root, 0
    waiting, seen = [root], {root}
    while waiting:
        parent = waiting.pop()
        for child in _children(parent):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
                yield child, parent


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError), os.scandir(f"/proc/{pid}/task") as threads:
        for thread in threads:
            with suppress(OSError):
                text = Path(thread.path, "children").read_text(encoding="ascii")
                yield from map(int, text.split())


def _living_thread(pid: int) -> tuple[str, _Memory]:
    """Return the folder in /proc of a thread that has not ended, and the memory of its process.

    All threads have the same memory and files: the seccomp filter allows no others.
    """
    folder = f"/proc/{pid}"
    memory = _memory(folder)
    if memory is None:
        with suppress(OSError), os.scandir(f"/proc/{pid}/task") as threads:
            for thread in threads:
                if (found := _memory(thread.path)) is not None:
                    return thread.path, found
    return folder, memory or _Memory()


def _memory(folder: str) -> _Memory | None:
    found = _kilobytes(f"{folder}/status", ("RssAnon:", "RssShmem:", "VmPTE:"))
    if "RssAnon:" not in found:
        return None  # it has ended
    return _Memory(found["RssAnon:"], found.get("RssShmem:", 0), found.get("VmPTE:", 0))


def _shares_memory(process: _Process) -> bool:
    """Whether a process was vforked, and has the memory of its parent until it runs a program."""
    thread = int(process.folder.rpartition("/")[2])
    number = SYSCALLS["kcmp"][0 if platform.machine() == "x86_64" else 1]
    libc = ctypes.CDLL(None)
    return process.parent > 0 and libc.syscall(number, thread, process.parent, _KCMP_VM, 0, 0) == 0


def _proportional(process: _Process) -> _Memory:
    try:
        found = _kilobytes(f"{process.folder}/smaps_rollup", ("Pss_Anon:", "Pss_Shmem:"))
    except PermissionError:
        return process.memory  # a container's root may not read it
    return _Memory(found.get("Pss_Anon:", 0), found.get("Pss_Shmem:", 0), process.memory.tables)


def _kilobytes(file: str, names: tuple[str, ...]) -> dict[str, int]:
    """Return the bytes of lines such as ``RssAnon: 12 kB``."""
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return {}  # it has ended
    lines = (line.split() for line in text.splitlines() if line.startswith(names))
    return {line[0]: int(line[1]) << 10 for line in lines}


def _cpu_time(pid: int) -> float:
    with suppress(OSError, IndexError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # After the name, which may have spaces: own and waited-for children's time.
        return sum(map(int, text.rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _measure_descriptors(folder: str, usage: TreeUsage) -> None:
    with suppress(OSError), os.scandir(f"{folder}/fd") as entries:
        for entry in entries:
            with suppress(OSError):
                file = entry.stat()
                if stat.S_ISSOCK(file.st_mode):
                    usage.sockets.add(file.st_ino)
                elif stat.S_ISREG(file.st_mode) and file.st_nlink == 0:
                    usage.hidden[_inode(file)] = file.st_blocks * _BLOCK


def _measure_mappings(
    folder: str, file_size: int, hidden: dict[_Inode, int], shared: dict[_Inode, int]
) -> None:
    """Add what is mapped and has no name: files, and shared memory in full."""
    try:
        text = Path(f"{folder}/maps").read_bytes()
    except OSError:
        return
    if b"(deleted)" not in text:
        return
    for line in text.splitlines():
        # 7f00-7f10 rw-s 00000000 00:01 1042 /dev/zero (deleted)
        if line.endswith(b"(deleted)"):
            addresses, _, offset, device, number, *_ = line.split(maxsplit=5)
            if device == _device_of_shared_memory():
                start, _, end = addresses.partition(b"-")
                size = int(offset, 16) + int(end, 16) - int(start, 16)
                inode = (device.decode(), int(number))
                shared[inode] = max(size, shared.get(inode, 0))
                continue
            inode, size = _mapped_file(folder, addresses, device, int(number), file_size)
            hidden.setdefault(inode, size)


def _mapped_file(
    folder: str, addresses: bytes, device: bytes, number: int, file_size: int
) -> tuple[_Inode, int]:
    """Return a mapped file and its size, which is the kernel's secret for an ordinary user."""
    try:
        file = os.stat(os.path.join(folder, "map_files", addresses.decode()))  # noqa: PTH116, PTH118
    except OSError:
        major, _, minor = device.partition(b":")
        return (f"{os.makedev(int(major, 16), int(minor, 16))}", number), file_size
    return _inode(file), file.st_blocks * _BLOCK


def _inode(file: os.stat_result) -> _Inode:
    return f"{file.st_dev}", file.st_ino


@functools.cache
def _device_of_shared_memory() -> bytes:
    """Return the device of shared memory that is not of a file, as /proc/PID/maps names it."""
    with mmap.mmap(-1, mmap.PAGESIZE):
        for line in Path("/proc/self/maps").read_bytes().splitlines():
            if b"/dev/zero (deleted)" in line:
                return line.split()[3]
    return b""
