"""Measured use of disk by the files of a run."""

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_DEEPEST = 64
_BLOCK = 512


@dataclass
class FolderUsage:
    """What the files of a folder use.

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
        with os.scandir(descriptor) as entries:
            for entry in entries:
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
