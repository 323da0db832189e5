"""The session mode: a Jupyter kernel in the sandbox, whose variables stay between calls.

The kernel is reached by sockets in a folder, since the sandbox has no network. What it sends is as
little trusted as its output: it is only read as text and pictures.
"""

import asyncio
import base64
import binascii
import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.code_executor.sandbox.bubblewrap import SOCKETS
from ferrogen.code_executor.sandbox.isolation import Isolation, Launch
from ferrogen.code_executor.sandbox.kernel_connection import (
    KernelConnection,
    connection_file,
    write_connection_file,
)
from ferrogen.code_executor.sandbox.limits import LIMIT_WORDS, LimitName
from ferrogen.code_executor.sandbox.process import SandboxProcess, Stream
from ferrogen.code_executor.sandbox.run import RunEnd, end_of, end_of_limit
from ferrogen.code_executor.sandbox.transcript import Transcript
from ferrogen.code_executor.sandbox.watch import Meter, watch
from ferrogen.exceptions import MissingDependencyError, SandboxError, SandboxUnavailableError

_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_MESSAGE = 1 << 26
_START_TIMEOUT = 30
_FOREVER = 10.0**9
_ASK_AGAIN = 0.5
_LAST_WORDS = 2
_LAUNCHER = (
    *("-m", "ipykernel_launcher", "-f", f"{SOCKETS}/connection.json"),
    "--HistoryManager.enabled=False",
)
_PICTURES = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass
class _Kernel:
    process: SandboxProcess
    connection: KernelConnection
    folder: Path
    ending: "asyncio.Future[int]"
    watcher: "asyncio.Task[None]"
    meter: Meter
    limit: list[LimitName]


class KernelSession:
    """A kernel, started by the first call and anew after it has ended.

    Args:
        isolation: Isolates it; it must have namespaces.
        launch: The parameters of the run.
        python: The interpreter, which can import ipykernel.
        uid: The user that the folder of the sockets is given to, or None.

    Raises:
        SandboxUnavailableError: The isolation does not permit sockets.
        MissingDependencyError: jupyter-client is not installed.
    """

    def __init__(self, isolation: Isolation, launch: Launch, python: str, uid: int | None) -> None:
        if isolation.name != "bubblewrap":
            raise SandboxUnavailableError(
                f"a session takes sockets, which isolation by {isolation.name} forbids: make"
                " bubblewrap work (`ferrogen doctor` says how), or use no session"
            )
        check_jupyter()
        self._isolation, self._launch, self._python, self._uid = isolation, launch, python, uid
        self._kernel: _Kernel | None = None
        self._turn = asyncio.Lock()
        self._transcript: Transcript | None = None
        self._number = 0
        self._ignored = 0
        self._errors = b""

    async def run(self, code: str, token: CancellationToken, transcript: Transcript) -> RunEnd:
        """Run code in the kernel.

        Raises:
            asyncio.CancelledError: The token or the caller was cancelled; the kernel is ended.
            SandboxError: The kernel cannot be started.
        """
        if token.is_cancelled():
            raise asyncio.CancelledError
        async with self._turn:
            if self._kernel is not None and self._kernel.ending.done():
                limit = self._kernel.limit
                why = f": it reached the limit of {LIMIT_WORDS[limit[0]]}" if limit else ""
                transcript.note(f"the session had ended{why}; this one has none of its variables")
                await self.close()
            if self._kernel is None:
                self._kernel = await self._start()
            self._transcript = transcript
            try:
                return await self._run(self._kernel, code, token, transcript)
            finally:
                self._transcript, self._ignored = None, 0

    async def close(self) -> None:
        """End the kernel."""
        kernel, self._kernel = self._kernel, None
        if kernel is None:
            return
        kernel.watcher.cancel()
        await end_of(kernel.process, kernel.ending)
        kernel.connection.close()
        kernel.process.close()
        await asyncio.to_thread(shutil.rmtree, kernel.folder, ignore_errors=True)

    async def _run(
        self, kernel: _Kernel, code: str, token: CancellationToken, transcript: Transcript
    ) -> RunEnd:
        loop = asyncio.get_running_loop()
        stopped: asyncio.Future[LimitName] = loop.create_future()
        _ = token.link_future(stopped)

        def end(limit: LimitName) -> None:
            if not stopped.done():
                stopped.set_result(limit)

        kernel.meter.begin()
        timer = loop.call_later(self._launch.limits.timeout, end, "timeout")
        executing = loop.create_task(self._execute(kernel.connection, code, transcript, end))
        either: list[asyncio.Future[Any]] = [stopped, executing, kernel.ending]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            finished = executing.done() and not stopped.done()
            if finished:
                kernel.connection.pause()
                kernel.meter.begin()
            else:
                executing.cancel()
                await self.close()
        if stopped.cancelled():
            raise asyncio.CancelledError
        if stopped.done():
            return end_of_limit(stopped.result())
        if finished:
            return RunEnd(executing.result(), None)
        if kernel.limit:
            return end_of_limit(kernel.limit[0])
        transcript.note("the session has ended, and its variables are gone")
        return RunEnd(kernel.ending.result() or 1, None)

    async def _execute(
        self,
        connection: KernelConnection,
        code: str,
        transcript: Transcript,
        end: Callable[[LimitName], None],
    ) -> int:
        # A model may write half of a surrogate pair.
        text = code.encode(errors="replace").decode()
        request = connection.send("execute_request", {"code": text, "allow_stdin": False})

        def add(stream: Stream, text: str) -> None:
            if not transcript.add(stream, text.encode(errors="replace")):
                end("output")

        failed, patience = False, None
        while (message := await connection.receive(patience)) is not None:
            kind, content = message.kind, message.content
            if kind == "stream":
                stream: Stream = "stderr" if content.get("name") == "stderr" else "stdout"
                add(stream, str(content.get("text", "")))
            if message.parent != request:
                continue
            if kind in {"execute_result", "display_data"}:
                self._show(content.get("data"), transcript, add)
            elif kind == "error":
                failed = True
                add("stderr", _COLORS.sub("", _traceback(content)) + "\n")
            elif kind == "execute_reply":
                # The state comes by another way, on which messages are lost if there are too many.
                failed = failed or content.get("status") == "error"
                patience = _LAST_WORDS
            elif kind == "status" and content.get("execution_state") == "idle":
                break
        return 1 if failed else 0

    def _show(self, data: Any, transcript: Transcript, add: Callable[[Stream, str], None]) -> None:
        if not isinstance(data, dict):
            return
        for kind, suffix in _PICTURES.items():
            if kind in data:
                try:
                    picture = base64.b64decode(str(data[kind]))
                except (binascii.Error, ValueError):
                    continue
                self._number += 1
                transcript.display(f"displayed_{self._number}.{suffix}", picture)
                return
        if "text/plain" in data:
            add("stdout", f"{data['text/plain']}\n")

    async def _start(self) -> _Kernel:
        folder, key = await asyncio.to_thread(self._make_folder)
        launch = replace(
            self._launch,
            command=[self._python, *_LAUNCHER],
            variables={**self._launch.variables, "IPYTHONDIR": "/tmp/ipython"},
            # The kernel would count it over all calls; the watch counts it for each.
            limits=replace(self._launch.limits, cpu_time=_FOREVER),
            sockets=folder,
            on_data=self._on_data,
        )
        process = await self._isolation.start(launch)
        ending = asyncio.ensure_future(process.wait())
        limit: list[LimitName] = []

        def end(reached: LimitName) -> None:
            limit.append(reached)
            process.kill()

        meter = Meter(process, launch.scratch, self._launch.limits, counts=False)
        watcher = asyncio.ensure_future(watch(meter, end))
        # A kernel collects output for 0.2 s.
        most_bytes = 4 * launch.limits.output + _LONGEST_MESSAGE
        connection = KernelConnection(folder, key, most_bytes)
        kernel = _Kernel(process, connection, folder, ending, watcher, meter, limit)
        try:
            ready = asyncio.ensure_future(_wait_until_ready(connection))
            either: list[asyncio.Future[Any]] = [ready, ending]
            try:
                await asyncio.wait(
                    either, return_when=asyncio.FIRST_COMPLETED, timeout=_START_TIMEOUT
                )
            finally:
                ready.cancel()
            if ready.done():
                ready.result()
            else:
                words = self._errors[-2000:].decode(errors="replace").strip()
                how = (
                    f"ended with exit code {ending.result()} before it was ready"
                    if ending.done()
                    else f"was not ready after {_START_TIMEOUT} seconds"
                )
                raise SandboxError(f"the Jupyter kernel {how}: {words}")
        except BaseException:
            self._kernel = kernel
            await self.close()
            raise
        return kernel

    def _on_data(self, stream: Stream, data: bytes) -> None:
        """Take what processes of the code write on the kernel's own stdout and stderr."""
        if self._transcript is not None:
            fits = self._transcript.add(stream, data)
        else:
            if stream == "stderr":
                self._errors = (self._errors + data)[-4000:]
            self._ignored += len(data)
            fits = self._ignored <= self._launch.limits.output
        if not fits and self._kernel is not None and not self._kernel.limit:
            self._kernel.limit.append("output")
            self._kernel.process.kill()

    def _make_folder(self) -> tuple[Path, str]:
        folder = self._launch.scratch.root / f"s{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        connection = connection_file(SOCKETS)
        file = write_connection_file(folder, connection)
        if self._uid is not None:
            for path in (folder, file):
                os.chown(path, self._uid, self._uid)
        return folder, str(connection["key"])


async def _wait_until_ready(connection: KernelConnection) -> None:
    """Ask until an answer comes on both channels, of which one loses what comes too early."""
    arrived: set[bool] = set()
    while len(arrived) < 2:
        connection.send("kernel_info_request", {})
        while (message := await connection.receive(_ASK_AGAIN)) is not None:
            arrived.add(message.kind == "kernel_info_reply")


def _traceback(content: dict[str, Any]) -> str:
    lines = content.get("traceback")
    return "\n".join(map(str, lines)) if isinstance(lines, list) else str(content.get("evalue"))


def check_jupyter() -> None:
    """Make sure that kernels can be reached.

    Raises:
        MissingDependencyError: jupyter-client is not installed.
    """
    try:
        import jupyter_client  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingDependencyError(
            'a session needs jupyter-client and ipykernel: pip install "ferrogen[jupyter]"',
            name="jupyter_client",
        ) from error
