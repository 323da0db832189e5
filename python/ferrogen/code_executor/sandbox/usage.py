"""Measured use of memory, processor time and disk by the processes and files of a run."""

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_DEEPEST = 64
_BLOCK = 512


@dataclass(frozen=True)
class TreeUsage:
    """The resources that a process and its descendants use.

    Args:
        memory: Bytes of private and shared memory, shared pages counted once if it matters.
        cpu_time: Seconds of processor time, with those of processes that have ended.
        hidden: Bytes of files that are open and have no name any more, by device and inode.
    """

    memory: int
    cpu_time: float
    hidden: dict[tuple[int, int], int]


def tree_usage(root: int, memory_limit: int) -> TreeUsage:
    """Measure a process and its descendants.

    Args:
        root: The id of the process.
        memory_limit: Up to this many bytes, the quicker and less exact count is enough.
    """
    pids = [root, *_descendants(root)]
    memory = sum(map(_resident, pids))
    if memory > memory_limit:
        # Forked processes share pages, which the quick count has several times.
        memory = sum(map(_proportional, pids))
    hidden: dict[tuple[int, int], int] = {}
    for pid in pids:
        hidden.update(_files_without_name(pid))
    return TreeUsage(memory, sum(map(_cpu_time, pids)), hidden)


def _descendants(pid: int) -> Iterator[int]:
    waiting, seen = [pid], {pid}
    while waiting:
        parent = waiting.pop()
        for child in _children(parent):
            if child not in seen:
                seen.add(child)
                waiting.append(child)
                yield child


def _children(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for thread in os.scandir(f"/proc/{pid}/task"):
            with suppress(OSError):
                text = Path(thread.path, "children").read_text(encoding="ascii")
                yield from map(int, text.split())


def _resident(pid: int) -> int:
    return _kilobytes(pid, "status", ("RssAnon:", "RssShmem:", "VmPTE:")) << 10


def _proportional(pid: int) -> int:
    try:
        return _kilobytes(pid, "smaps_rollup", ("Pss_Anon:", "Pss_Shmem:")) << 10
    except PermissionError:
        return _resident(pid)  # a container's root may not read it


def _kilobytes(pid: int, file: str, names: tuple[str, ...]) -> int:
    try:
        text = Path(f"/proc/{pid}/{file}").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it has ended
    lines = (line.split() for line in text.splitlines() if line.startswith(names))
    return sum(int(line[1]) for line in lines)


def _cpu_time(pid: int) -> float:
    with suppress(OSError, IndexError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        # After the name, which may have spaces: own and waited-for children's time.
        return sum(map(int, text.rpartition(")")[2].split()[11:15])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _files_without_name(pid: int) -> dict[tuple[int, int], int]:
    found: dict[tuple[int, int], int] = {}
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                file = entry.stat()
                if stat.S_ISREG(file.st_mode) and file.st_nlink == 0:
                    found[file.st_dev, file.st_ino] = file.st_blocks * _BLOCK
    return found


@dataclass
class FolderUsage:
    """The space that the files of a folder use.

    Args:
        size: Bytes on disk.
        files: Files and folders.
        too_deep: Whether folders are nested more than 64 deep, in which the count stops.
    """

    size: int = 0
    files: int = 0
    too_deep: bool = False


def folder_usage(folders: tuple[Path, ...], most_files: int) -> FolderUsage:
    """Measure folders, without following links, until there are too many files to go on."""
    usage = FolderUsage()
    for folder in folders:
        with suppress(OSError):
            _measure(os.open(folder, os.O_RDONLY | os.O_DIRECTORY), 0, most_files, usage)
    return usage


def _measure(descriptor: int, depth: int, most_files: int, usage: FolderUsage) -> None:
    try:
        for entry in os.scandir(descriptor):
            usage.files += 1
            if usage.files > most_files:
                return
            with suppress(OSError):
                file = entry.stat(follow_symlinks=False)
                usage.size += file.st_blocks * _BLOCK
                if stat.S_ISDIR(file.st_mode):
                    if depth == _DEEPEST:
                        usage.too_deep = True
                        return
                    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
                    inner = os.open(entry.name, flags, dir_fd=descriptor)
                    _measure(inner, depth + 1, most_files, usage)
    finally:
        os.close(descriptor)
