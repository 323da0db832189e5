"""Which layers of the sandbox work on this machine, found by trying each one."""

import asyncio
import ctypes
import os
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ferrogen.code_executor.execution import CodeBlock
from ferrogen.code_executor.sandbox.bubblewrap import find_bubblewrap
from ferrogen.code_executor.sandbox.landlock import NEEDED_VERSION, landlock_version
from ferrogen.code_executor.sandbox.seccomp import filter_program
from ferrogen.code_executor.sandbox.user import Identity, sandbox_identity
from ferrogen.exceptions import FerrogenError

_NEW_USER = 0x10000000
_NO_NEW_PRIVS, _SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    """``struct sock_fprog``."""

    _fields_ = [
        ("length", ctypes.c_ushort),
        ("instructions", ctypes.c_char_p),
    ]


def error_as(identity: Identity, probe: Callable[[], str | None]) -> str | None:
    """Run a function in a forked process of a user, and return the error that it returns."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if identity.dropped:
                os.setgroups([])
                os.setgid(identity.gid)
                os.setuid(identity.uid)
            error = probe() or ""
        except BaseException as raised:  # noqa: BLE001 - reported
            error = f"{type(raised).__name__}: {raised}"
        os.write(writing, error.encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        error = pipe.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if status != 0:
        return f"a trial ended with exit code {os.waitstatus_to_exitcode(status)}"
    return error or None


def make_user_namespace() -> str | None:
    """Make a user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    return None if libc.unshare(_NEW_USER) == 0 else os.strerror(ctypes.get_errno())


def enter_filter(instructions: bytes) -> str | None:
    """Install the sandbox's filter, and try what it denies."""
    libc = ctypes.CDLL(None, use_errno=True)
    zero, one = ctypes.c_ulong(0), ctypes.c_ulong(1)
    program = _Program(len(instructions) // 8, instructions)
    if libc.prctl(_NO_NEW_PRIVS, one, zero, zero, zero) != 0:
        return os.strerror(ctypes.get_errno())
    if libc.prctl(_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.byref(program), zero, zero) != 0:
        return os.strerror(ctypes.get_errno())
    return "the filter has no effect" if libc.unshare(0) == 0 else None


@dataclass(frozen=True)
class Finding:
    """One layer.

    Args:
        layer: Its name.
        works: Whether it works; None if it is only a fact.
        detail: The finding.
        advice: The remedy if it does not work.
    """

    layer: str
    works: bool | None
    detail: str
    advice: str = ""


@dataclass(frozen=True)
class Diagnosis:
    """All layers, and the isolations that work.

    Args:
        findings: The layers.
        isolations: The names of the isolations that run code.
    """

    findings: Sequence[Finding]
    isolations: Sequence[str]


def diagnose() -> Diagnosis:
    """Try each layer. It forks, and blocks for some seconds: call it in no event loop or thread."""
    identity = sandbox_identity()
    findings = [
        _caller(identity),
        _user_namespaces(identity),
        _bubblewrap(),
        _landlock(),
        _seccomp(identity),
        _cgroups(),
        _app_armor(),
        _container(),
    ]
    isolations = []
    for name in ("bubblewrap", "landlock"):
        error = asyncio.run(_error_of_run(name))
        findings.append(Finding(f"code by {name}", error is None, error or "ran in a sandbox"))
        if error is None:
            isolations.append(name)
    return Diagnosis(findings, isolations)


def _caller(identity: Identity) -> Finding:
    words = f"code runs as user {identity.uid}"
    if identity.dropped:
        words += ", because the caller is root"
    return Finding("user", None, words)


def _user_namespaces(identity: Identity) -> Finding:
    error = error_as(identity, make_user_namespace)
    advice = ""
    if error is not None:
        if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
            advice = (
                "AppArmor refuses: install the distribution's bubblewrap with its AppArmor profile,"
                " or `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
            )
        elif _setting("kernel/unprivileged_userns_clone") == "0":
            advice = "the kernel refuses: `sysctl -w kernel.unprivileged_userns_clone=1`"
        elif _setting("user/max_user_namespaces") == "0":
            advice = "the kernel refuses: `sysctl -w user.max_user_namespaces=15000`"
        elif _seccomp_mode() != "0":
            advice = (
                "a seccomp filter around this process refuses, such as Docker's: start the"
                " container with a profile that permits unshare, clone and mount, for example"
                " `--security-opt seccomp=unconfined`"
            )
        else:
            advice = "use a kernel with CONFIG_USER_NS, or Landlock"
    return Finding("user namespaces", error is None, error or "can be made", advice)


def _bubblewrap() -> Finding:
    path = find_bubblewrap()
    if path is None:
        return Finding(
            "bubblewrap",
            False,
            "not installed",
            "`apt-get install bubblewrap` (Debian, Ubuntu), `dnf install bubblewrap` (Fedora), or"
            ' `pip install "ferrogen[sandbox]"`',
        )
    done = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    return Finding("bubblewrap", True, f"{path}, {done.stdout.strip()}")


def _landlock() -> Finding:
    version = landlock_version()
    if version >= NEEDED_VERSION:
        return Finding("Landlock", True, f"version {version}")
    found = f"version {version}" if version else "the kernel does not have it, or it is off"
    return Finding(
        "Landlock",
        False,
        found,
        f"only needed where user namespaces are forbidden: version {NEEDED_VERSION} comes with"
        " Linux 6.12, and `landlock` has to be in its lsm= parameter",
    )


def _seccomp(identity: Identity) -> Finding:
    try:
        program = filter_program()
    except FerrogenError as unsupported:
        return Finding("seccomp", False, str(unsupported))
    error = error_as(identity, lambda: enter_filter(program))
    advice = "" if error is None else "use a kernel with CONFIG_SECCOMP_FILTER"
    return Finding("seccomp", error is None, error or "the filter works", advice)


def _cgroups() -> Finding:
    controllers = Path("/sys/fs/cgroup/cgroup.controllers")
    how = "memory is limited for each process by RLIMIT_DATA, and for all by a watch"
    if not controllers.exists():
        return Finding("cgroups", None, f"no unified cgroup hierarchy; {how}")
    names = controllers.read_text(encoding="ascii").strip()
    return Finding("cgroups", None, f"version 2 with {names}, not used; {how}")


def _app_armor() -> Finding:
    if not Path("/sys/module/apparmor").exists():
        return Finding("AppArmor", None, "not active")
    restricts = _setting("kernel/apparmor_restrict_unprivileged_userns") == "1"
    words = "restricts user namespaces" if restricts else "does not restrict user namespaces"
    return Finding("AppArmor", None, words)


def _container() -> Finding:
    where = "in a container" if _in_container() else "not in a container"
    filtered = "no seccomp filter" if _seccomp_mode() == "0" else "a seccomp filter"
    return Finding("surroundings", None, f"{where}, {filtered} around this process")


def _in_container() -> bool:
    return Path("/.dockerenv").exists() or Path("/run/.containerenv").exists()


def _seccomp_mode() -> str:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next((line.split()[1] for line in lines if line.startswith("Seccomp:")), "0")


def _setting(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text(encoding="ascii").strip()
    except OSError:
        return None


async def _error_of_run(isolation: str) -> str | None:
    from ferrogen._core import CancellationToken
    from ferrogen.code_executor.sandbox.executor import SandboxCodeExecutor

    try:
        async with SandboxCodeExecutor(timeout=20, isolation=isolation) as executor:
            block = CodeBlock("print(6 * 7)", "python")
            result = await executor.execute_code_blocks([block], CancellationToken())
    except (FerrogenError, OSError) as error:
        return str(error)
    return None if result.output == "42\n" else f"unexpected output {result.output!r}"
