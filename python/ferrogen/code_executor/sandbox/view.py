"""The visible part of the host: system folders, interpreters, an ``/etc`` of the sandbox."""

import os
import shutil
import stat
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ferrogen.exceptions import SandboxOptionError

WORK = "/work"
"""The folder in which sandboxed code starts."""


_SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/nix/store",
    "/gnu/store",
)
FOLDERS_OF_ETC = ("alternatives", "fonts")
"""Folders of the host's ``/etc`` without information about its users."""

_COPIED = ("ld.so.cache", "localtime", "mime.types")
_READABLE = stat.S_IROTH | stat.S_IXOTH
_WRITTEN = {
    "passwd": f"sandbox:x:1000:1000:sandbox:{WORK}:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n",
    "group": "sandbox:x:1000:\nnogroup:x:65534:\n",
    "hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}


@dataclass(frozen=True)
class SystemView:
    """Folders of the host that are visible, read-only, at the path that they have there.

    Args:
        python: The interpreter of Python code.
        base_python: The interpreter that this one, or its virtual environment, was made from.
        folders: The visible folders.
        links: Symbolic links of the root folder, with their targets.
        search_path: The folders in which commands are looked up.
        hidden: Folders in them that are empty for the code.
    """

    python: str
    base_python: str
    folders: tuple[str, ...]
    links: Mapping[str, str] = field(default_factory=dict[str, str])
    search_path: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()

    def variables(self) -> dict[str, str]:
        """Return the environment of sandboxed code, without the variables that name folders."""
        return {
            "PATH": os.pathsep.join(self.search_path),
            "LANG": "C.UTF-8",
            "MPLBACKEND": "Agg",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
            "PYTHONUNBUFFERED": "1",
            "OPENBLAS_NUM_THREADS": "2",
            "OMP_NUM_THREADS": "2",
        }

    def shows(self, path: str) -> bool:
        """Whether a path of the host is visible."""
        return any(Path(path).is_relative_to(folder) for folder in (*self.folders, *self.links))


def system_view(
    read_only: tuple[str, ...] = (), environment: Path | None = None, *, site_packages: bool = False
) -> SystemView:
    """Choose the visible part of the host.

    Args:
        read_only: Folders of the user's.
        environment: A virtual environment, whose Python is used.
        site_packages: Whether to use the environment of the caller's Python, with its packages.

    Raises:
        SandboxOptionError: A folder does not exist, or the interpreter has no folder of its own.
    """
    links = {
        folder: str(Path(folder).readlink()) for folder in _SYSTEM if Path(folder).is_symlink()
    }
    folders = [folder for folder in _SYSTEM if folder not in links and Path(folder).is_dir()]
    base = Path(base_python())
    python, additional = str(base), [*_interpreter_folders(base)]
    if environment is None and site_packages and sys.prefix != sys.base_prefix:
        environment = Path(sys.prefix)
    if environment is not None:
        python, additional = str(environment / "bin" / "python"), [*additional, str(environment)]
    for folder in read_only:
        if not Path(folder).is_dir():
            raise SandboxOptionError(f"the read-only folder {folder!r} is not a folder")
    for folder in (*additional, *(str(Path(folder).resolve()) for folder in read_only)):
        if not any(Path(folder).is_relative_to(known) for known in folders):
            folders.append(folder)
    paths = (str(Path(python).parent), str(base.parent), *_DEFAULT_PATH)
    # The packages of the caller's Python are not the code's.
    packages = Path(sysconfig.get_path("purelib", vars={"base": sys.base_prefix}))
    hidden = () if site_packages or not packages.is_dir() else (str(packages.resolve()),)
    return SystemView(python, str(base), tuple(folders), links, tuple(dict.fromkeys(paths)), hidden)


_DEFAULT_PATH = ("/usr/local/bin", "/usr/bin", "/bin")


def base_python() -> str:
    """Return the interpreter that this one, or its virtual environment, was made from."""
    return str(Path(getattr(sys, "_base_executable", sys.executable)).resolve())


def make_etc(folder: Path) -> None:
    """Fill a folder with what programs need of ``/etc``, and with no user of the host.

    The folders among it are empty: they may have many files.
    """
    folder.mkdir(mode=0o755)
    for name, text in _WRITTEN.items():
        (folder / name).write_text(text, encoding="ascii")
    for name in _COPIED:
        source = Path("/etc") / name
        if source.is_file():
            shutil.copyfile(source, folder / name)
    for name in FOLDERS_OF_ETC:
        source = Path("/etc") / name
        if source.is_dir() and source.stat().st_mode & _READABLE == _READABLE:
            (folder / name).mkdir()  # where the host's folder is mounted


def _interpreter_folders(executable: Path) -> Iterator[str]:
    prefix = Path(sys.base_prefix).resolve()
    if prefix == Path("/usr"):
        return
    if prefix in (Path("/"), Path.home(), Path("/home")) or Path.home().is_relative_to(prefix):
        raise SandboxOptionError(
            f"Python is installed in {prefix}, which has more than Python in it, and is not shown"
            " to the sandbox: use a Python that has a folder of its own"
        )
    yield str(prefix)
    if not executable.is_relative_to(prefix):
        yield str(executable.parent)
