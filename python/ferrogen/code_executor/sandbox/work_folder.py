"""The folders of an executor on the host, and their removal."""

import os
import shutil
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from ferrogen.code_executor.sandbox.isolation import Scratch
from ferrogen.code_executor.sandbox.user import Identity
from ferrogen.code_executor.sandbox.view import make_etc
from ferrogen.exceptions import SandboxOptionError


def make_scratch(identity: Identity, work_dir: Path | None) -> Scratch:
    """Make the folders, which only the sandbox's user can enter.

    Args:
        identity: That user.
        work_dir: A work folder of the caller's, which is given to that user.

    Raises:
        SandboxOptionError: The work folder is not a folder.
    """
    root = Path(tempfile.mkdtemp(prefix="ferrogen-sandbox-"))
    scratch = Scratch(root, root / "work" if work_dir is None else work_dir)
    try:
        if work_dir is None:
            scratch.work.mkdir(mode=0o700)
        elif not work_dir.is_dir():
            raise SandboxOptionError(f"work_dir {str(work_dir)!r} is not a folder: create it first")
        scratch.temporary.mkdir(mode=0o700)
        scratch.shared_memory.mkdir(mode=0o700)
        scratch.code.mkdir()
        scratch.empty.mkdir()
        scratch.empty.chmod(0o755)
        make_etc(scratch.etc)
        _make_readable(scratch.code)
        _make_readable(scratch.etc)
        if identity.dropped:
            for folder in (root, *scratch.writable):
                os.chown(folder, identity.uid, identity.gid)
    except BaseException:
        remove_scratch(scratch)
        raise
    return scratch


def _make_readable(folder: Path) -> None:
    """Let every user read a folder, independently of the umask."""
    folder.chmod(0o755)
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(parent, name)
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() else 0o644)


def remove_scratch(scratch: Scratch) -> None:
    """Remove the folders; a work folder of the caller's stays."""
    remove_tree(scratch.root)


def open_folder(folder: Path) -> None:
    """Let the user of a folder enter, read and change it, which the code may have forbidden.

    It is a folder of ours or the caller's, and cannot have been replaced.
    """
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & stat.S_IRWXU != stat.S_IRWXU:
        folder.chmod(mode | stat.S_IRWXU)


def clear(folder: Path) -> None:
    """Remove everything in a folder, however deeply nested and whatever its permissions."""
    open_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        _clear(descriptor)
    finally:
        os.close(descriptor)


def remove_tree(folder: Path) -> None:
    """Remove a folder and everything in it."""
    with suppress(FileNotFoundError):
        for inner in ("work", "tmp", "shm"):
            with suppress(FileNotFoundError, NotADirectoryError):
                clear(folder / inner)
        shutil.rmtree(folder)


def _clear(top: int) -> None:
    """Empty a folder by moving the folders in its folders up, until none has any.

    No path is longer than two names, and nothing is recursive, so that no depth is too deep.
    """
    number = 0
    while names := os.listdir(top):
        for name in names:
            if not _is_folder(name, top):
                os.unlink(name, dir_fd=top)
                continue
            os.chmod(name, 0o700, dir_fd=top)
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=top)
            try:
                for child in os.listdir(inner):  # noqa: PTH208 - of a descriptor
                    if not _is_folder(child, inner):
                        os.unlink(child, dir_fd=inner)
                        continue
                    os.chmod(child, 0o700, dir_fd=inner)
                    number += 1
                    target = f".removed-{number}-{os.urandom(4).hex()}"
                    os.rename(child, target, src_dir_fd=inner, dst_dir_fd=top)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=top)


def _is_folder(name: str, folder: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
