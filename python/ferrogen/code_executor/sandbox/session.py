"""The session mode: a Jupyter kernel in the sandbox, whose variables stay between calls.

The kernel is reached by sockets in a folder, since the sandbox has no network. What it sends is as
little trusted as its output: it is only read as text and pictures.
"""

import asyncio
import base64
import binascii
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.code_executor.sandbox.artifacts import Artifact, media_type
from ferrogen.code_executor.sandbox.bubblewrap import SOCKETS
from ferrogen.code_executor.sandbox.isolation import Isolation, Launch
from ferrogen.code_executor.sandbox.limits import LimitName
from ferrogen.code_executor.sandbox.process import SandboxProcess, Stream
from ferrogen.code_executor.sandbox.run import RunEnd, end_of, end_of_limit
from ferrogen.code_executor.sandbox.transcript import Transcript
from ferrogen.code_executor.sandbox.watch import watch
from ferrogen.exceptions import MissingDependencyError, SandboxError, SandboxUnavailableError

_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
_COLORS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_MESSAGE = 1 << 26
_START_TIMEOUT = 30
_FOREVER = 10.0**9
_LAUNCHER = (
    *("-m", "ipykernel_launcher", "-f", f"{SOCKETS}/connection.json"),
    "--HistoryManager.enabled=False",
)
_PICTURES = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass
class _Kernel:
    process: SandboxProcess
    client: Any
    folder: Path
    ending: "asyncio.Future[int]"
    watcher: "asyncio.Task[None]"
    limit: list[LimitName] = field(default_factory=list[LimitName])


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
                await self.close()
            if self._kernel is None:
                self._kernel = await self._start()
            self._transcript = transcript
            try:
                return await self._run(self._kernel, code, token, transcript)
            finally:
                self._transcript = None

    async def close(self) -> None:
        """End the kernel."""
        kernel, self._kernel = self._kernel, None
        if kernel is None:
            return
        kernel.watcher.cancel()
        await end_of(kernel.process, kernel.ending)
        kernel.client.stop_channels()
        kernel.client.context.destroy(linger=0)
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

        limits = self._launch.limits
        timer = loop.call_later(limits.timeout, end, "timeout")
        watcher = loop.create_task(
            watch(kernel.process.pid, self._launch.scratch, limits, end, relative=True)
        )
        executing = loop.create_task(self._execute(kernel.client, code, transcript, end))
        either: list[asyncio.Future[Any]] = [stopped, executing, kernel.ending]
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            timer.cancel()
            watcher.cancel()
            finished = executing.done() and not stopped.done()
            if not finished:
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
        client: Any,
        code: str,
        transcript: Transcript,
        end: Callable[[LimitName], None],
    ) -> int:
        request = client.execute(code, allow_stdin=False)

        def add(stream: Stream, text: str) -> None:
            if not transcript.add(stream, text.encode(errors="replace")):
                end("output")

        failed = False
        while True:
            message = await client.get_iopub_msg()
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                add("stderr" if content.get("name") == "stderr" else "stdout", str(content["text"]))
            if message["parent_header"].get("msg_id") != request:
                continue
            if kind in {"execute_result", "display_data"}:
                self._show(content.get("data", {}), transcript, add)
            elif kind == "error":
                failed = True
                add("stderr", _COLORS.sub("", "\n".join(map(str, content["traceback"]))) + "\n")
            elif kind == "status" and content.get("execution_state") == "idle":
                return 1 if failed else 0

    def _show(
        self, data: dict[str, Any], transcript: Transcript, add: Callable[[Stream, str], None]
    ) -> None:
        for kind, suffix in _PICTURES.items():
            if kind in data:
                try:
                    picture = base64.b64decode(str(data[kind]))
                except (binascii.Error, ValueError):
                    continue
                self._number += 1
                name = f"displayed_{self._number}.{suffix}"
                transcript.displayed.append(Artifact(name, media_type(name, picture), picture))
                return
        if "text/plain" in data:
            add("stdout", f"{data['text/plain']}\n")

    async def _start(self) -> _Kernel:
        import zmq.asyncio
        from jupyter_client.asynchronous.client import AsyncKernelClient

        folder, connection = await asyncio.to_thread(self._make_folder)
        launch = replace(
            self._launch,
            command=[self._python, *_LAUNCHER],
            variables={**self._launch.variables, "IPYTHONDIR": "/tmp/ipython"},
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

        watcher = asyncio.ensure_future(watch(process.pid, launch.scratch, launch.limits, end))
        context = zmq.asyncio.Context()
        # What the kernel sends is bounded: it could fill this process's memory. A kernel collects
        # output for 0.2 s; a message that is too long is lost, and the limit of output with it.
        context.setsockopt(zmq.MAXMSGSIZE, 4 * launch.limits.output + _LONGEST_MESSAGE)
        context.setsockopt(zmq.RCVHWM, 4)
        client = AsyncKernelClient(context=context)
        reached: Any = {**connection, "ip": str(folder / "kernel")}
        client.load_connection_info(reached)
        kernel = _Kernel(process, client, folder, ending, watcher, limit)
        try:
            client.start_channels(stdin=False, hb=False, control=False)
            ready = asyncio.ensure_future(client.wait_for_ready(timeout=_START_TIMEOUT))
            either: list[asyncio.Future[Any]] = [ready, ending]
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not ready.done():
                ready.cancel()
                raise SandboxError(
                    f"the Jupyter kernel ended with exit code {ending.result()} before it was"
                    f" ready: {self._errors[-2000:].decode(errors='replace').strip()}"
                )
            if (error := ready.exception()) is not None:
                raise SandboxError(f"the Jupyter kernel did not become ready: {error}") from error
        except BaseException:
            self._kernel = kernel
            await self.close()
            raise
        return kernel

    _errors = b""

    def _on_data(self, stream: Stream, data: bytes) -> None:
        """Take what processes of the code write on the kernel's own stdout and stderr."""
        if self._transcript is not None:
            self._transcript.add(stream, data)
        elif stream == "stderr":
            self._errors = (self._errors + data)[-4000:]

    def _make_folder(self) -> tuple[Path, dict[str, Any]]:
        folder = self._launch.scratch.root / f"s{secrets.token_hex(4)}"
        folder.mkdir(mode=0o700)
        ports = {f"{name}_port": number for number, name in enumerate(_CHANNELS, start=1)}
        connection: dict[str, Any] = {
            "transport": "ipc",
            "ip": f"{SOCKETS}/kernel",
            "key": secrets.token_hex(16),
            "signature_scheme": "hmac-sha256",
            **ports,
        }
        file = folder / "connection.json"
        file.write_text(json.dumps(connection), encoding="ascii")
        if self._uid is not None:
            for path in (folder, file):
                os.chown(path, self._uid, self._uid)
        return folder, connection


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
