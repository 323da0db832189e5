"""Virtual environments with the packages that code may import, made by uv outside of the sandbox.

Each set of requirements has one environment, which is kept and which all sandboxes of this user
share, read-only. Source distributions are not built: that would run their code unprotected.
"""

import asyncio
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from ferrogen.exceptions import MissingDependencyError, PackageInstallError, SandboxOptionError

_COMPLETE = ".complete"
_NAMED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\s*(\[[^\]]*\])?\s*([=<>!~;(].*)?(\s+--hash=\S+)*")


@dataclass(frozen=True)
class Requirements:
    """The contents and the origin of an environment.

    Args:
        packages: Requirements by name, with ``--hash=...`` if hashes are required.
        indexes: The package indexes that may be used; by default those that uv is configured for.
        require_hashes: Whether every package, also of dependencies, must have a hash.

    Raises:
        SandboxOptionError: A requirement is a path, an address or an option; an index is no
            address; or a hash is missing.
    """

    packages: tuple[str, ...]
    indexes: tuple[str, ...] = ()
    require_hashes: bool = False

    def __post_init__(self) -> None:
        for package in self.packages:
            if not _NAMED.fullmatch(package.strip()):
                raise SandboxOptionError(
                    f"the package {package!r} is not a requirement by name: packages come from an"
                    " index, so write for example 'numpy>=2'"
                )
            if self.require_hashes and "--hash=" not in package:
                raise SandboxOptionError(
                    f"the package {package!r} has no hash, and require_hashes is set: write"
                    " 'NAME==VERSION --hash=sha256:...'"
                )
        for index in self.indexes:
            if urlsplit(index).scheme not in {"https", "http", "file"}:
                raise SandboxOptionError(
                    f"the index {index!r} is not an address: write for example"
                    " 'https://packages.example.org/simple'"
                )

    def key(self, python: str) -> str:
        """Return the name of the environment."""
        parts = [sorted(self.packages), self.indexes, self.require_hashes, python, sys.version]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


async def make_environment(requirements: Requirements, python: str) -> Path:
    """Return the folder of an environment, which is made if it does not exist.

    Args:
        requirements: The installed requirements.
        python: The interpreter that it is made from.

    Raises:
        PackageInstallError: The packages cannot be installed.
        MissingDependencyError: uv is not installed.
    """
    return await asyncio.to_thread(_make, requirements, python)


def _make(requirements: Requirements, python: str) -> Path:
    root = cache_folder()
    root.mkdir(parents=True, exist_ok=True, mode=0o755)
    folder = root / requirements.key(python)
    with _locked(root / f"{folder.name}.lock"):
        if not (folder / _COMPLETE).exists():
            shutil.rmtree(folder, ignore_errors=True)
            uv = _uv()
            _run([uv, "venv", "--quiet", "--python", python, str(folder)], requirements)
            wanted = folder / "requirements.txt"
            wanted.write_text("".join(f"{one}\n" for one in requirements.packages))
            _run([*_install(uv, requirements), str(folder), "-r", str(wanted)], requirements)
            (folder / _COMPLETE).touch()
    return folder


def cache_folder() -> Path:
    """Return where environments are kept: a folder that the sandbox's user can reach."""
    if os.geteuid() == 0:
        return Path("/var/cache/ferrogen/environments")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "ferrogen", "environments")


def _install(uv: str, requirements: Requirements) -> Iterator[str]:
    yield from (uv, "pip", "install", "--quiet", "--only-binary", ":all:", "--link-mode", "copy")
    if requirements.require_hashes:
        yield "--require-hashes"
    for number, index in enumerate(requirements.indexes):
        yield from ("--default-index" if number == 0 else "--index", index)
    if requirements.indexes:
        yield "--no-config"
    yield "--python"


def _run(command: Sequence[str], requirements: Requirements) -> None:
    variables = dict(os.environ)
    if requirements.indexes:
        # Nothing but the allowed indexes: not even what the environment adds.
        variables = {name: text for name, text in variables.items() if not _adds_index(name)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=variables, umask=0o022
    )
    if done.returncode != 0:
        raise PackageInstallError(
            f"uv could not install {', '.join(requirements.packages)}: {done.stderr.strip()}"
        )


def _adds_index(variable: str) -> bool:
    return variable.startswith("UV_") and ("INDEX" in variable or variable == "UV_FIND_LINKS")


def _uv() -> str:
    if find_spec("uv") is not None:
        return str(import_module("uv").find_uv_bin())
    found = shutil.which("uv")
    if found is None:
        raise MissingDependencyError(
            'packages for sandboxed code need uv: pip install "ferrogen[sandbox]"', name="uv"
        )
    return found


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let one process at a time make an environment."""
    import fcntl  # only Unix has it

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
