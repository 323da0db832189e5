"""The process of a session: IPython in the sandbox, with a pipe to it and one from it.

`session_program` is what runs in it. What that sends is as little trusted as its output.
"""

import asyncio
import functools
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ferrogen.code_executor.sandbox.isolation import Isolation, Launch
from ferrogen.code_executor.sandbox.limits import LimitName
from ferrogen.code_executor.sandbox.process import PipeReader, PipeWriter, SandboxProcess
from ferrogen.code_executor.sandbox.run import end_of
from ferrogen.code_executor.sandbox.session_messages import (
    Event,
    EventDecoder,
    Ready,
    encode_request,
)
from ferrogen.code_executor.sandbox.watch import Meter, watch

_LONGEST_EVENT = 1 << 26
_START_TIMEOUT = 30
_LAST_MOMENTS = 5
_FOREVER = 10.0**9


class SessionKernel:
    """A started process of a session.

    Args:
        process: The process.
        requests: The pipe to it.
        events: The pipe from it.
        launch: The parameters of the run.
        on_event: Called with what it sends once it is ready.
    """

    def __init__(
        self,
        process: SandboxProcess,
        requests: int,
        events: int,
        launch: Launch,
        on_event: Callable[[Event], None],
    ) -> None:
        self.limit: LimitName | None = None
        """The limit that it has reached."""
        self.error: BaseException | None = None
        """Why it could not be measured."""
        self.ending: asyncio.Future[int] = asyncio.ensure_future(process.wait())
        """Its exit code, when all processes have ended and their output was read."""
        self._process, self._on_event = process, on_event
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._decoder = EventDecoder(_LONGEST_EVENT)
        self._requests = PipeWriter(requests, self._end_soon)
        self._events = PipeReader(events, self._read)
        self._events.ended.add_done_callback(lambda _: self._end_soon())
        self._meter = Meter(process, launch.scratch, launch.limits, counts=False)
        self._watcher = asyncio.ensure_future(watch(self._meter, self.stop))
        self._watcher.add_done_callback(self._note_error)
        self._closed = False

    @classmethod
    async def start(
        cls,
        isolation: Isolation,
        launch: Launch,
        python: str,
        on_event: Callable[[Event], None],
    ) -> "SessionKernel":
        """Start the process.

        Args:
            isolation: Isolates it.
            launch: The parameters of the run.
            python: The interpreter, which can import IPython.
            on_event: Called with what it sends once it is ready.

        Raises:
            SandboxError: It could not be started.
        """
        requests, our_requests = os.pipe2(os.O_CLOEXEC)
        our_events, events = os.pipe2(os.O_CLOEXEC)
        folder = isolation.paths(launch.scratch, launch.temporary).temporary
        try:
            process = await isolation.start(
                replace(
                    launch,
                    command=[python, "-c", _program(), str(requests), str(events)],
                    variables={**launch.variables, "IPYTHONDIR": f"{folder}/ipython"},
                    # It would count over all calls; the watch counts for each.
                    limits=replace(launch.limits, cpu_time=_FOREVER),
                    descriptors=(requests, events),
                )
            )
        except BaseException:
            os.close(our_requests)
            os.close(our_events)
            raise
        finally:
            os.close(requests)
            os.close(events)
        return cls(process, our_requests, our_events, launch, on_event)

    async def started(self) -> str | None:
        """Wait until it is ready; return why it never will be, if so."""
        first: list[asyncio.Future[Any]] = [self._ready, self.ending]
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED, timeout=_START_TIMEOUT)
        if self._ready.done():
            return None
        if self.ending.done():
            return f"ended with exit code {self.ending.result()} before it was ready"
        return f"was not ready after {_START_TIMEOUT} seconds"

    def run(self, number: int, code: str) -> None:
        """Send code to run."""
        self._requests.write(encode_request(number, code))

    def read_output(self) -> None:
        """Read the output that is already there."""
        self._process.read_available_output()

    def count_processor_time(self) -> None:
        """Count processor time from now on."""
        self._meter.begin()

    def stop(self, limit: LimitName) -> None:
        """Kill it, since it has reached a limit."""
        if self.limit is None and not self.ending.done():
            self.limit = limit
            self._kill()

    async def close(self) -> None:
        """Kill it, wait for its end, and release what it has."""
        try:
            await end_of(self._process, self.ending)
        finally:
            if not self._closed:
                self._closed = True
                self._watcher.cancel()
                self._requests.close()
                self._events.close()
                self._process.close()

    def _read(self, data: bytes) -> None:
        for event in self._decoder.decode(data):
            if isinstance(event, Ready):
                if not self._ready.done():
                    self._ready.set_result(None)
            elif self._ready.done():
                self._on_event(event)

    def _kill(self) -> None:
        if not self.ending.done():
            self._process.kill()

    def _end_soon(self) -> None:
        """End a process that has closed a pipe, unless it ends by itself."""
        asyncio.get_running_loop().call_later(_LAST_MOMENTS, self._kill)

    def _note_error(self, watcher: "asyncio.Task[None]") -> None:
        if not watcher.cancelled() and (error := watcher.exception()) is not None:
            self.error = error
            self._kill()


@functools.cache
def _program() -> str:
    return Path(__file__).with_name("session_program.py").read_text(encoding="utf-8")
