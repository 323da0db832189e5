"""Ferrogen imports no module that only Unix has; lint checks the types for Windows and macOS."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ferrogen

UNIX_ONLY = (
    *("crypt", "fcntl", "grp", "nis", "ossaudiodev", "posix", "pty", "pwd", "readline"),
    *("resource", "spwd", "syslog", "termios", "tty"),
)
# Only Ferrogen's own imports are refused: other packages have their ways on Windows.
PROGRAM = f"""
import builtins, importlib, pkgutil, sys

real = builtins.__import__


def refusing(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {{}}).get("__name__", "")
    if importer.partition(".")[0] in OURS and name.partition(".")[0] in {UNIX_ONLY}:
        raise ModuleNotFoundError(f"{{importer}} imports {{name}}, which Windows does not have")
    return real(name, globals, locals, fromlist, level)


OURS = sys.argv[1:]
builtins.__import__ = refusing
count = 0
for package in map(importlib.import_module, OURS):
    for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        # The latter are programs that are run as texts, on Linux.
        if not module.name.endswith((".__main__", ".landlock_program", ".session_program")):
            importlib.import_module(module.name)
            count += 1
print(count)
"""


def imported(*packages: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *packages],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


# What Windows lacks in modules that it has, as far as modules of ours use it.
UNIX_ATTRIBUTES = {
    "os": {
        *(
            "chown",
            "fchmod",
            "fchown",
            "fork",
            "forkpty",
            "getegid",
            "geteuid",
            "getgid",
            "getpgid",
        ),
        *("getuid", "killpg", "mkfifo", "pidfd_open", "pipe2", "pwrite", "set_blocking", "setsid"),
        *("sysconf", "uname", "wait", "waitid", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_PATH"),
        "WNOHANG",
    },
    "signal": {"SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGPIPE", "SIGUSR1", "SIGUSR2"},
    "socket": {"AF_UNIX"},
    "select": {"epoll", "poll", "POLLIN"},
}


def used_at_import(source: str) -> list[str]:
    """Return what a module takes of those outside functions, and so when it is imported."""
    found = []
    left: list[ast.AST] = [ast.parse(source)]
    while left:
        node = left.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            defaults = [default for default in node.args.kw_defaults if default is not None]
            left += [*node.decorator_list, *node.args.defaults, *defaults]
        elif isinstance(node, ast.Lambda):
            continue
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.attr in UNIX_ATTRIBUTES.get(node.value.id, ()):
                found.append(f"{node.value.id}.{node.attr}")
        else:
            left += ast.iter_child_nodes(node)
    return found


def test_no_module_uses_what_windows_lacks_when_it_is_imported():
    folder = Path(ferrogen.__file__).parent
    found = {
        str(path): names
        for path in folder.rglob("*.py")
        if (names := used_at_import(path.read_text("utf-8")))
    }
    assert found == {}


def test_what_is_used_at_import_is_found():
    source = "import os\nA = os.O_PATH\ndef f(x=os.fork): return os.wait()\nclass C: y = os.uname()"
    assert sorted(used_at_import(source)) == ["os.O_PATH", "os.fork", "os.uname"]


def test_every_module_can_be_imported_without_them(tmp_path: Path):
    done = imported("ferrogen", "_ferrogen_hook", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200


@pytest.mark.parametrize("statement", ["import fcntl", "from pwd import getpwuid"])
def test_a_module_that_needs_one_is_found(tmp_path: Path, statement: str):
    (tmp_path / "needy").mkdir()
    (tmp_path / "needy" / "__init__.py").write_text("")
    (tmp_path / "needy" / "part.py").write_text(f"{statement}\n")
    done = imported("needy", cwd=tmp_path)
    assert done.returncode == 1
    assert f"needy.part imports {statement.split()[1]}, which" in done.stderr
