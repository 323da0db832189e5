"""The session mode: code runs in one process of IPython, whose variables stay between calls."""

import asyncio
from dataclasses import dataclass, replace
from importlib.util import find_spec

from ferrogen._core import CancellationToken
from ferrogen.code_executor.sandbox.isolation import Isolation, Launch
from ferrogen.code_executor.sandbox.limits import LIMIT_WORDS
from ferrogen.code_executor.sandbox.process import Stream
from ferrogen.code_executor.sandbox.run import RunEnd, end_of_limit
from ferrogen.code_executor.sandbox.session_kernel import SessionKernel
from ferrogen.code_executor.sandbox.session_messages import Done, Event, Oversized, Picture
from ferrogen.code_executor.sandbox.transcript import Transcript
from ferrogen.exceptions import MissingDependencyError, SandboxError

SESSION_VARIABLES = {
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
}
"""Environment variables of the code in a session, unless the user sets others."""


@dataclass(frozen=True)
class _Call:
    """A call that runs.

    Args:
        number: Its number.
        transcript: Its output.
        end: How its code has ended; None if the kernel has ended instead.
    """

    number: int
    transcript: Transcript
    end: "asyncio.Future[Done | None]"


class InteractiveSession:
    """A kernel, started by the first call and anew after it has ended.

    Args:
        isolation: Isolates it.
        launch: The parameters of the run.
        python: The interpreter, which can import IPython.
    """

    def __init__(self, isolation: Isolation, launch: Launch, python: str) -> None:
        self._isolation, self._python = isolation, python
        self._launch = replace(launch, on_data=self._on_data)
        self._kernel: SessionKernel | None = None
        self._call: _Call | None = None
        self._turn = asyncio.Lock()
        self._closed = False
        self._calls = self._pictures = 0
        # Output of threads and processes that run on between calls.
        self._between: list[tuple[Stream, bytes]] = []
        self._between_size = 0

    async def run(self, code: str, token: CancellationToken, transcript: Transcript) -> RunEnd:
        """Run code in the kernel.

        Raises:
            asyncio.CancelledError: The token or the caller was cancelled, or the session closed;
                the kernel is ended.
            SandboxError: The kernel cannot be started.
        """
        async with self._turn:
            if self._closed or token.is_cancelled():
                raise asyncio.CancelledError
            if self._kernel is not None and self._kernel.ending.done():
                limit = self._kernel.limit
                why = "" if limit is None else f": it reached the limit of {LIMIT_WORDS[limit]}"
                self._take_between(None if limit == "output" else transcript)
                transcript.note(f"the session had ended{why}; this one has none of its variables")
                await self._end()
            kernel = self._kernel or await self._start(token)
            return await self._run(kernel, code, token, transcript)

    async def close(self) -> None:
        """End the kernel, and cancel the calls."""
        self._closed = True
        if self._call is not None:
            self._call.end.cancel()
        await self._end()
        async with self._turn:  # one that was about to start a kernel
            await self._end()

    async def _end(self) -> None:
        kernel = self._kernel
        if kernel is not None:
            try:
                await kernel.close()
            finally:
                if self._kernel is kernel:
                    self._kernel = None

    async def _run(
        self, kernel: SessionKernel, code: str, token: CancellationToken, transcript: Transcript
    ) -> RunEnd:
        loop = asyncio.get_running_loop()
        self._calls += 1
        call = self._call = _Call(self._calls, transcript, loop.create_future())
        _ = token.link_future(call.end)
        timer = loop.call_later(self._launch.limits.timeout, kernel.stop, "timeout")
        end = None
        try:
            self._take_between(transcript)
            kernel.count_processor_time()
            kernel.run(call.number, code)
            end = await call.end
        finally:
            timer.cancel()
            self._call = None
            kernel.count_processor_time()
            if end is None or end.exits:
                await self._end()
        if kernel.error is not None:
            raise kernel.error
        if end is None and kernel.limit is not None:
            return end_of_limit(kernel.limit)
        if end is None or end.exits:
            transcript.note("the session has ended, and its variables are gone")
        if end is not None:
            return RunEnd(int(end.failed), None)
        return RunEnd(kernel.ending.result() or 1, None)  # it may not have run the code

    async def _start(self, token: CancellationToken) -> SessionKernel:
        self._take_between(None)
        kernel = await SessionKernel.start(
            self._isolation, self._launch, self._python, self._on_event
        )
        self._kernel = kernel
        try:
            starting = asyncio.ensure_future(kernel.started())
            _ = token.link_future(starting)
            failure = await starting
            kernel.read_output()
            if self._closed:
                raise asyncio.CancelledError
            if failure is not None:
                words = b"".join(data for _, data in self._between)[-2000:].decode(errors="replace")
                raise SandboxError(f"the session {failure}: {words.strip()}")
        except BaseException:
            await self._end()
            raise
        finally:
            self._take_between(None)
        kernel.ending.add_done_callback(self._on_end)
        return kernel

    def _take_between(self, transcript: Transcript | None) -> None:
        """Move what was written between calls into a transcript."""
        between, self._between, self._between_size = self._between, [], 0
        if transcript is not None:
            for stream, data in between:
                transcript.add(stream, data)

    def _on_data(self, stream: Stream, data: bytes) -> None:
        kernel, call = self._kernel, self._call
        if call is None:
            self._between.append((stream, data))
            self._between_size += len(data)
            fits = self._between_size <= self._launch.limits.output
        elif kernel is None or kernel.limit is not None or call.end.done():
            return
        else:
            try:
                fits = call.transcript.add(stream, data)
            except Exception as error:  # noqa: BLE001 - of a callback: the caller gets it
                call.end.set_exception(error)
                return
        if not fits and kernel is not None:
            kernel.stop("output")

    def _on_event(self, event: Event) -> None:
        kernel, call = self._kernel, self._call
        if kernel is None or call is None or call.end.done():
            return
        if isinstance(event, Done) and event.request == call.number:
            kernel.read_output()
            if kernel.limit is None and not call.end.done():
                call.end.set_result(event)
        elif isinstance(event, Picture):
            self._pictures += 1
            call.transcript.display(f"displayed_{self._pictures}.{event.suffix}", event.data)
        elif isinstance(event, Oversized):
            self._pictures += 1
            reason = f"its message of {event.size} bytes is too long"
            call.transcript.refuse(f"displayed_{self._pictures}", reason)

    def _on_end(self, _: "asyncio.Future[int]") -> None:
        if self._call is not None and not self._call.end.done():
            self._call.end.set_result(None)


def check_ipython() -> None:
    """Make sure that the interpreter of this program can import IPython.

    Raises:
        MissingDependencyError: It is not installed.
    """
    if find_spec("IPython") is None:
        raise MissingDependencyError(
            'a session needs IPython: pip install "ferrogen[session]"', name="IPython"
        )
