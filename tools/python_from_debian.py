"""Runs a command on the CPythons of Debian testing, in a scratch root made by debootstrap.

The command must accept PYTHON= and VENV=, such as `make test-python`. It runs in a copy of the
repository inside the root: a Debian testing system with CPython 3.14 and 3.15, a C compiler, cargo,
make and git. An existing root is reused, with the environments and compiled code in it; remove the
folder to start afresh.

This needs root, debootstrap and a Debian mirror among apt's sources. Without them the reason is
printed and the exit status is 0, as for a skipped test.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

VERSIONS = ("3.14", "3.15")
SUITE = "testing"
TOOLS = ("ca-certificates", "cargo", "gcc", "git", "libc6-dev", "make")
# Copied into the root: name resolution, certificates, package sources.
SHARED_FILES = (
    "/etc/hosts",
    "/etc/pip.conf",
    "/etc/resolv.conf",
    "/etc/ssl/certs/ca-certificates.crt",
)
# Variables that name programs and folders of the machine. Proxies and PIP_ settings stay.
OUTSIDE = (
    *("CARGO", "CONDA", "LD_", "MAKE", "MFLAGS", "PYENV", "PYTHON", "RUST", "TMP", "VENV"),
    *("VIRTUAL_ENV", "WORLD_PYTHON"),
)
COPY = "root/ferrogen"
# The mounts are visible in this namespace only, and end with it.
NAMESPACE = ("unshare", "--mount", "--pid", "--fork", "--kill-child")
# The root takes the place of the machine's one, which is unmounted: in a chroot, no user namespaces
# and so no sandboxes can be made. pivot_root(2) describes `pivot_root . .`.
ENTER = (
    'mount --bind "$0" "$0" && mount --rbind /dev "$0/dev" && mount -t proc proc "$0/proc"'
    ' && cd "$0" && pivot_root . . && umount --lazy .'
    f' && exec /usr/bin/env --chdir="/{COPY}" "$@"'
)


class UnavailableError(Exception):
    """The scratch root cannot be made or used on this machine."""


def check_machine() -> None:
    """Checks what making and entering a root needs."""
    if os.name != "posix" or os.geteuid() != 0:
        raise UnavailableError("only root can make and enter a scratch root")
    for program in ("apt-get", "debootstrap", "git", "pivot_root", "unshare"):
        if shutil.which(program) is None:
            raise UnavailableError(f"there is no {program} on the PATH")
    refused = subprocess.run([*NAMESPACE, "true"], capture_output=True, text=True, check=False)
    if refused.returncode:
        raise UnavailableError(refused.stderr.strip() or "unshare is refused")


def mirror() -> str:
    """Returns the Debian mirror that apt is configured with."""
    command = ["apt-get", "indextargets", "--format", "$(ORIGIN)/$(LABEL) $(REPO_URI)"]
    targets = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in targets.stdout.splitlines():
        if line.startswith("Debian/Debian "):
            return line.split(maxsplit=1)[1]
    raise UnavailableError(
        "apt has no Debian mirror among its sources: configure one and run apt-get update"
    )


def apt_settings() -> str:
    """Returns the machine's apt settings for downloads: proxies, and whether dates are checked."""
    dumped = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    names = ("Acquire::Check-", "Acquire::http")
    return "".join(line for line in dumped.stdout.splitlines(True) if line.startswith(names))


def checked(what: str, command: list[str]) -> None:
    """Runs a command quietly; where it fails, its last lines are the reason."""
    ended = subprocess.run(
        command,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, env=environment(),
    )  # fmt: skip
    if ended.returncode:
        last = " / ".join(ended.stdout.strip().splitlines()[-3:])
        raise UnavailableError(f"{what} failed: {last}")


def inside(root: Path, *command: str) -> list[str]:
    """Returns the command that runs a command inside the root, in the copy of the repository."""
    return [*NAMESPACE, "sh", "-c", ENTER, str(root), *command]


def environment() -> dict[str, str]:
    """Returns the variables for a command inside the root."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OUTSIDE)}
    return kept | {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
    }


def make_root(root: Path) -> None:
    """Makes the root unless it is there, with every Python of VERSIONS that Debian has."""
    if root.exists() and root.stat().st_uid != 0:
        raise UnavailableError(f"{root} belongs to another user: name another folder by --root")
    ready = root / "var/lib/python_from_debian"
    if not ready.exists():
        if (root / "debootstrap").exists():
            raise UnavailableError(f"{root} is incomplete: remove it and try again")
        if not (root / "etc/debian_version").exists():
            print(f"making a root of Debian {SUITE} in {root}: about two minutes", flush=True)
            command = ["debootstrap", "--variant=minbase", SUITE, str(root), mirror()]
            checked("debootstrap", [*NAMESPACE, *command])
    for file in map(Path, SHARED_FILES):
        if file.exists():
            target = root / file.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            shutil.copy(file, target)
    settings = root / "etc/apt/apt.conf.d/99machine"
    settings.write_text(apt_settings(), encoding="utf-8")
    (root / COPY).mkdir(exist_ok=True)
    if not ready.exists():
        install = (
            "apt-get update -qq && apt-get install -qq --no-install-recommends"
            f" {' '.join(TOOLS)} $(apt-cache --names-only search"
            f" '^python({'|'.join(VERSIONS)})(-dev|-venv)?$' | cut -d' ' -f1)"
        )
        checked("apt-get", inside(root, "sh", "-c", install))
        ready.touch()


def check_cargo(root: Path) -> None:
    """Checks that the root's cargo is as new as the project needs."""
    manifest = Path("Cargo.toml").read_text(encoding="utf-8")
    needed = re.search(r'^rust-version = "([\d.]+)"', manifest, re.MULTILINE)
    there = subprocess.run(
        inside(root, "cargo", "--version"),
        capture_output=True, text=True, check=False, env=environment(),
    )  # fmt: skip
    found = re.match(r"cargo ([\d.]+)", there.stdout)
    if needed is None or found is None:
        raise UnavailableError(f"cargo does not run in {root}: {there.stderr.strip()}")
    old, new = (tuple(map(int, one[1].split("."))) for one in (needed, found))
    if new < old:
        raise UnavailableError(f"Debian {SUITE} has cargo {found[1]}, Ferrogen needs {needed[1]}")


def remove(copy: Path, file: Path) -> None:
    """Removes a file, and the folders that are empty without it: Python would import them."""
    file.unlink(missing_ok=True)
    for folder in file.parents:
        if folder == copy or {one.name for one in folder.glob("*")} - {"__pycache__"}:
            return
        shutil.rmtree(folder, ignore_errors=True)


def copy_repository(root: Path) -> None:
    """Brings the copy up to date: what git tracks here, as it is, and new files not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    files = {name for name in listed.split("\0") if name and Path(name).is_file()}
    copy = root / COPY
    copied = copy / ".copied"
    if copied.exists():
        for gone in set(copied.read_text(encoding="utf-8").split("\0")) - files - {""}:
            remove(copy, copy / gone)
    copied.write_text("\0".join(files), encoding="utf-8")
    for name in files:
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(name, target)


def run(root: Path, command: list[str], versions: Sequence[str]) -> dict[str, str]:
    """Runs the command on each Python of the root; returns how each went."""
    outcomes = dict.fromkeys(versions, f"skipped, Debian {SUITE} does not have it")
    for version in versions:
        path = f"usr/bin/python{version}"
        if (root / path).exists():
            print(f"== Python {version} of Debian {SUITE}, in {root}", flush=True)
            chosen = [f"PYTHON=/{path}", f"VENV=.venvs/{version}"]
            ended = subprocess.run(inside(root, *command, *chosen), check=False, env=environment())
            outcomes[version] = "failed" if ended.returncode else "passed"
    return outcomes


def fetch(root: Path, pattern: str) -> None:
    """Copies what the command made in the copy of the repository to the same places here."""
    copy = root / COPY
    for made in sorted(copy.glob(pattern)):
        target = made.relative_to(copy)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made, target)
        print(target)


def main() -> int:
    """Returns 0 unless the command failed on a Python."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(tempfile.gettempdir()) / f"ferrogen-debian-{SUITE}"
    parser.add_argument("--root", type=Path, default=default, help=f"the scratch root ({default})")
    parser.add_argument("--version", choices=VERSIONS, help="only this Python, instead of all")
    parser.add_argument("--fetch", metavar="PATTERN", help="files to copy back, such as dist/*.whl")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="for example: make test-python")
    arguments = parser.parse_args()
    root = arguments.root.absolute()
    versions = [arguments.version] if arguments.version else VERSIONS
    try:
        check_machine()
        make_root(root)
        check_cargo(root)
    except UnavailableError as reason:
        outcomes = dict.fromkeys(versions, f"skipped: {reason}")
    else:
        copy_repository(root)
        outcomes = run(root, arguments.command, versions)
        if arguments.fetch and "failed" not in outcomes.values():
            fetch(root, arguments.fetch)
    for version, outcome in outcomes.items():
        print(f"Python {version}: {outcome}")
    return int("failed" in outcomes.values())


if __name__ == "__main__":
    sys.exit(main())
