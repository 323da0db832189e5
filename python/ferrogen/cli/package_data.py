"""Folders of files that come with the package, and writing them somewhere as a whole."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.abc import Traversable


def texts_below(package: str, *folders: str) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield the path and the text of each file in a folder of a package."""
    folder = files(package)
    for name in folders:
        folder = folder / name
    for path, file in _files_below(folder, PurePosixPath()):
        yield path, file.read_text(encoding="utf-8")


def write_folder(folder: Path, texts: Iterable[tuple[PurePosixPath, str]]) -> None:
    """Write files into a folder that is new or empty: all of them, or none.

    They are written beside their place and moved there, so that no half of it is ever seen.
    """
    exists = folder.exists()
    staging = (folder if exists else folder.parent) / f".{folder.name}-{secrets.token_hex(6)}"
    moved: list[Path] = []
    try:
        staging.mkdir()
        for path, text in texts:
            target = staging / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8", newline="\n")
        if exists:
            moved.extend(entry.rename(folder / entry.name) for entry in sorted(staging.iterdir()))
        else:
            staging.rename(folder)
    except BaseException:
        for entry in moved:
            if entry.is_dir():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _files_below(
    folder: Traversable, path: PurePosixPath
) -> Iterator[tuple[PurePosixPath, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            # pip compiles all Python files of a package, these too.
            if entry.name != "__pycache__":
                yield from _files_below(entry, path / entry.name)
        else:
            yield path / entry.name, entry
