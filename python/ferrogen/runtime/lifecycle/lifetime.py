"""The lifetime of a runtime: context manager, and running until a signal arrives."""

from __future__ import annotations

import asyncio
import logging
import signal
from abc import abstractmethod
from collections.abc import Callable, Sequence
from types import TracebackType

from typing_extensions import Self

from ferrogen._core import Engine
from ferrogen.runtime.lifecycle.event_loop import SignalHandlers
from ferrogen.runtime.lifecycle.lifecycle import Lifecycle
from ferrogen.runtime.log import log
from ferrogen.runtime.protocols import AgentRuntime
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

__all__ = ["Lifetime"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)


class Lifetime(AgentRuntime):
    """A runtime that can be a context manager, and that signals can end."""

    _engine: Engine
    _kept: set[asyncio.Task[None]]
    _lifecycle: Lifecycle

    @abstractmethod
    def start(self) -> None:
        """Start to process messages."""

    @abstractmethod
    async def close(self) -> None:
        """Stop, and close every agent."""

    async def __aenter__(self) -> Self:
        """Start the runtime.

        Raises:
            RuntimeError: It is started already.
        """
        self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Drain and close the runtime. After an exception, close it at once.

        Raises:
            BaseException: The error of a handler of a published message, unless such errors are
                ignored, or the first error that an agent's `close` raised. After an exception,
                they are logged.
        """
        if error is None:
            try:
                if self._lifecycle.is_started:
                    await self.stop(drain=True)
            finally:
                await self._close_once()
            return
        try:
            await self._close_once()
        except Exception as other:  # noqa: BLE001 - the exception of the block is the cause
            text = "closing the runtime after an exception failed"
            log(_logger, logging.ERROR, text, exc_info=other)

    async def _close_once(self) -> None:
        if not self._lifecycle.is_closed:
            await self.close()

    async def run_until_signal(
        self,
        *,
        signals: Sequence[int] = (signal.SIGINT, signal.SIGTERM),
        timeout: float | None = None,
    ) -> signal.Signals | None:
        """Run until a signal arrives, then drain and close; a second signal closes at once.

        The runtime is started if it is not. It is closed when the call ends, however it ends. The
        signal handlers that were there before are installed again.

        Args:
            signals: The signals.
            timeout: How many seconds the draining may take, after the first signal; None for no
                limit. See `stop`.

        Returns:
            The first signal, or None if the runtime was stopped without one.

        Raises:
            SignalsNotSupportedError: The signals cannot be handled on this platform, on this event
                loop, or in this thread. The runtime was not started.
            ValueError: `timeout` is out of range.
            BaseException: The error of a handler of a published message that halted the runtime,
                or the first error that an agent's `close` raised.

        Example:
            ```python
            import asyncio
            import os
            import signal

            from ferrogen import SingleThreadedAgentRuntime


            async def main() -> None:
                runtime = SingleThreadedAgentRuntime()
                # Instead of a shell, or of the system that runs this program.
                asyncio.get_running_loop().call_later(0.01, os.kill, os.getpid(), signal.SIGTERM)
                assert await runtime.run_until_signal(timeout=30) is signal.SIGTERM


            asyncio.run(main())
            ```
        """
        Lifecycle.check_timeout(timeout)
        with SignalHandlers(signals) as arrivals:
            if not self._lifecycle.is_started:
                self.start()
            try:
                return await self._drain_at(arrivals, timeout)
            finally:
                await self._close_once()

    async def _drain_at(
        self, arrivals: SignalHandlers, timeout: float | None
    ) -> signal.Signals | None:
        first = asyncio.ensure_future(arrivals.next())
        try:
            await self._lifecycle.wait_until_ended(first)
        finally:
            _ = first.cancel()
        if not first.done():
            if self._lifecycle.is_started:
                await self.stop()  # it has halted: raises the error
            return None
        received = first.result()
        text = "%s received: the runtime is drained; a second signal ends it at once"
        log(_logger, logging.INFO, text, received.name)
        draining = asyncio.ensure_future(self.stop(drain=True, timeout=timeout))
        second = asyncio.ensure_future(arrivals.next())
        try:
            _ = await asyncio.wait({draining, second}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            _ = second.cancel()
            is_cut_short = not draining.done()
            if is_cut_short:
                _ = draining.cancel()
                _ = await asyncio.wait({draining})
                _ = draining.cancelled() or draining.exception()  # the signal has precedence
        if is_cut_short:
            log(_logger, logging.WARNING, "another signal received: the runtime ends at once")
        else:
            draining.result()
        return received

    # Stopping.

    async def stop(self, *, drain: bool = False, timeout: float | None = None) -> None:
        """Stop at once, or when all accepted messages are handled.

        Messages that no handler has started become dead letters, and their senders get a
        `RuntimeStoppedError`. Running handlers continue, and their senders get the responses.

        Args:
            drain: Whether to wait first until no message is queued and no handler runs, as
                `stop_when_idle` does. Schedules end before that.
            timeout: How many seconds to wait at most; the runtime is stopped at once then, and a
                warning is logged. None for no limit.

        Raises:
            RuntimeError: If the runtime is not started, or a handler would wait for itself.
            ValueError: If `timeout` is out of range, or is given without `drain`.
            BaseException: The error of a handler of a published message, unless such errors are
                ignored.
        """
        self._lifecycle.check_timeout(timeout)
        if timeout is not None and not drain:
            raise ValueError("timeout limits the draining: pass drain=True, or leave it out")
        self._require_started()
        if drain:
            self._require_outside_of_handlers("stop(drain=True)")
            await self._lifecycle.drain(timeout)
        else:
            await self._lifecycle.stop()

    async def stop_when_idle(self) -> None:
        """Stop as soon as no message is queued and no handler runs.

        Raises:
            RuntimeError: If the runtime is not started, or a handler would wait for itself.
            BaseException: The error of a handler of a published message, unless such errors are
                ignored.
        """
        self._require_started()
        self._require_outside_of_handlers("stop_when_idle()")
        await self._lifecycle.wait_until_idle()
        if self._lifecycle.is_started:
            await self._lifecycle.stop()

    def _require_outside_of_handlers(self, call: str) -> None:
        if self._engine.is_running or asyncio.current_task() in self._kept:
            raise RuntimeError(
                f"{call} inside a handler would wait for that handler; call stop(), or await it in "
                "a separate task"
            )

    async def stop_when(self, condition: Callable[[], bool]) -> None:
        """Stop as soon as a condition holds. It is checked twenty times a second.

        Args:
            condition: The condition.

        Raises:
            RuntimeError: If the runtime is not started.
            BaseException: The error of a handler of a published message, unless such errors are
                ignored.
        """
        self._require_started()
        await self._lifecycle.stop_when(condition)

    def _require_started(self) -> None:
        self._lifecycle.enter_loop()
        if not self._lifecycle.is_started:
            # AutoGen's words, which programs match on.
            raise RuntimeError("Runtime is not started")
