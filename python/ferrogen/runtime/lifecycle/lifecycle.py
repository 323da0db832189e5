"""The life cycle of a runtime: starting, stopping, halting, idleness, and manual processing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any

from ferrogen._core import Engine
from ferrogen.exceptions import RuntimeStoppedError
from ferrogen.messaging.handler_context import INBOXES_CONTEXT
from ferrogen.runtime.calls.steering import Inboxes
from ferrogen.runtime.lifecycle.event_loop import LoopBinding
from ferrogen.runtime.log import log
from ferrogen.runtime.observer import Observer
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

if TYPE_CHECKING:
    from ferrogen.tools.guarding.guard import Guard

__all__ = ["Lifecycle"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)

_NEVER_STARTED_SECONDS = 5.0


class Lifecycle:
    """Starts and stops the engine of a runtime, and waits for it.

    Args:
        observer: Gets the context and the tracing state when the runtime starts.
        kept: The running tasks of handlers and factories.
        raise_unhandled: Whether an error of a handler whose result is not awaited halts the
            runtime, to be raised where the runtime is awaited next.
    """

    engine: Engine
    inboxes: Inboxes
    tool_guard: Guard | None = None
    """Guards the calls of tools in handlers."""

    def __init__(
        self, observer: Observer, kept: set[asyncio.Task[None]], *, raise_unhandled: bool
    ) -> None:
        self._observer = observer
        self._kept = kept
        self._raise_unhandled = raise_unhandled
        self._binding = LoopBinding()
        self._error: BaseException | None = None
        self.is_started = False
        """Whether `start` was called, and `stop` was not."""
        self._has_halted = False
        self.is_closed = False
        """Whether `close` was called, and `start` was not called since."""
        self.end_callbacks: list[Callable[[], object]] = []
        """Called when the runtime ends: it is drained, stopped or closed, or has halted."""
        self.stop_callbacks: list[Callable[[], object]] = []
        """Called once, when the runtime is stopped or closed."""
        self._was_used = False
        self._is_warned = False
        # An asyncio.Event would belong to one event loop.
        self._message_waiters: set[asyncio.Future[None]] = set()
        self._idle_waiters: set[asyncio.Future[None]] = set()
        self._interception_waiters: set[asyncio.Future[None]] = set()
        self._end_waiters: set[asyncio.Future[None]] = set()

    # Entering.

    def enter(self) -> asyncio.AbstractEventLoop:
        """Return the running event loop, where a message is about to be accepted.

        Raises:
            RuntimeStoppedError: The runtime is closed or has halted.
            WrongLoopError: The runtime runs on another event loop.
        """
        if self.is_closed:
            raise RuntimeStoppedError("the runtime is closed; make a new one, or start it again")
        if self._has_halted:
            raise RuntimeStoppedError(
                "the runtime has halted; stop it, and start it again to continue"
            ) from self._error
        loop = self.enter_loop()
        if not self._was_used and not self._is_warned:
            self._is_warned = True
            loop.call_later(_NEVER_STARTED_SECONDS, self._warn_if_never_started)
        return loop

    def enter_loop(self) -> asyncio.AbstractEventLoop:
        """Return the running event loop, binding the runtime to it.

        Raises:
            WrongLoopError: The runtime runs on another event loop.
        """
        return self._binding.enter(busy=self.is_started or bool(self._kept))

    def _warn_if_never_started(self) -> None:
        if not self._was_used and self.engine.waiting:
            log(
                _logger,
                logging.WARNING,
                "%s message(s) are queued in a runtime that was never started: call "
                "runtime.start(), or process them manually with await runtime.process_next()",
                self.engine.waiting,
            )

    # Starting and stopping.

    def start(self) -> None:
        """Start to process messages in the running event loop.

        Raises:
            RuntimeError: The runtime is started already, or no event loop is running.
            WrongLoopError: The runtime runs on another event loop.
        """
        loop = self.enter_loop()
        if self.is_started:
            # AutoGen's words, which programs match on.
            raise RuntimeError("Runtime is already started")
        self.is_started = True
        self._was_used = True
        self.is_closed = False
        context = self._new_context()
        self._observer.is_traced = self._observer.tracing.is_recording()
        self.engine.open(loop, context, is_traced=self._observer.is_traced)

    def _new_context(self) -> Context:
        """The context of the runtime, of which handlers get copies."""
        context = copy_context()
        _ = context.run(INBOXES_CONTEXT.set, self.inboxes)
        if self.tool_guard is not None:
            from ferrogen.tools.guarding.scopes import RUNTIME

            _ = context.run(RUNTIME.set, (self.tool_guard,))
        self._observer.runtime_context = context
        return context

    async def stop(self) -> None:
        """Stop at once. Messages that no handler has started become dead letters.

        Raises:
            BaseException: The error that halted the runtime.
        """
        await self._stop()
        self.raise_error()

    async def _stop(self) -> None:
        was_started = self.is_started
        self._end()
        self.engine.shut()
        self._wake(self._message_waiters)
        # Sends that are gathered start now, and are drained with the others.
        await asyncio.sleep(0)
        await self._wait_for_interception()
        if self.is_started is not was_started:
            return  # another call of stop() has finished
        self.is_started = False
        self._has_halted = False
        self.engine.drain("the runtime was stopped before the message was handled")
        while self.stop_callbacks:
            self.stop_callbacks.pop()()

    async def drain(self, timeout: float | None) -> None:
        """Wait until the runtime is idle, at most for a time, and then stop it.

        Raises:
            BaseException: The error that halted the runtime.
        """
        self._end()
        try:
            await asyncio.wait_for(self.wait_until_idle(), timeout)
        except asyncio.TimeoutError:
            tally = self.engine.tally()
            text = (
                "the runtime was stopped before it was drained: after %s seconds, %s message(s) "
                "were not settled, of which %s were queued"
            )
            left = 2 * tally["accepted"] - sum(tally.values())
            log(_logger, logging.WARNING, text, timeout, left, self.engine.waiting)
        if self.is_started:
            await self.stop()

    @staticmethod
    def check_timeout(timeout: float | None) -> None:
        """Check how long draining may take.

        Raises:
            ValueError: It is not a time.
        """
        # Written so that NaN is rejected too.
        is_number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
        if timeout is not None and not (is_number and timeout > 0):
            raise ValueError(
                "timeout must be a number of seconds greater than 0, or None for no limit; "
                f"got {timeout!r}"
            )

    async def wait_until_ended(self, other: asyncio.Future[Any]) -> None:
        """Wait until the runtime ends, or another future is done."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._end_waiters.add(ended)
        try:
            _ = await asyncio.wait({ended, other}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._end_waiters.discard(ended)

    def _end(self) -> None:
        for callback in self.end_callbacks:
            callback()
        self._wake(self._end_waiters)

    async def close(self) -> BaseException | None:
        """Stop, and reject messages from now on.

        Returns:
            The error that halted the runtime.
        """
        self.is_closed = True
        await self._stop()
        return self._take_error()

    # Errors that are not awaited.

    def unhandled(self, error: BaseException) -> None:
        """Halt the runtime on an error that no sender awaits, unless such errors are ignored."""
        if self._raise_unhandled:
            self.halt(error)

    def halt(self, error: BaseException) -> None:
        """Halt the runtime on an error, to be raised where the runtime is awaited next."""
        if self._error is not None:
            return
        self._error = error
        if self.is_started:
            self._has_halted = True
            self._end()
            self.engine.shut()
            # Other deliveries of the same message start first.
            asyncio.get_running_loop().call_soon(self._drain_after_halt)
        self._wake(self._message_waiters)

    def _drain_after_halt(self) -> None:
        if self._has_halted:
            self.engine.drain("the runtime halted before the message was handled")

    def raise_error(self) -> None:
        """Raise the error that halted the runtime, once.

        Raises:
            BaseException: That error.
        """
        error = self._take_error()
        if error is not None:
            raise error

    def _take_error(self) -> BaseException | None:
        error, self._error = self._error, None
        return error

    # Manual processing.

    async def process_next(self) -> None:
        """Take one message, waiting for one if there is none, and start its handlers.

        Raises:
            BaseException: The error that halted the runtime.
            RuntimeStoppedError: The runtime is closed, or was closed meanwhile.
        """
        loop = self.enter_loop()
        self._was_used = True
        while self._error is None:
            if self.is_closed:
                raise RuntimeStoppedError("the runtime is closed, and takes no messages any more")
            if not self.is_started:
                context = self._new_context()
                self._observer.is_traced = self._observer.tracing.is_recording()
                self.engine.is_traced = self._observer.is_traced
                self.engine.bind(loop, context)
            if self.engine.take_one():
                await self._wait_for_interception()
                # Let the handlers that were just started run, and all others.
                await asyncio.sleep(0)
                return
            await self._wait(self._message_waiters)
        self.raise_error()

    def notify_message(self) -> None:
        """Wake `process_next`: there may be a message."""
        self._wake(self._message_waiters)

    async def _wait_for_interception(self) -> None:
        while self.engine.is_paused:
            self.engine.interception_is_awaited = True
            await self._wait(self._interception_waiters)

    def notify_interception(self) -> None:
        """Wake the waiters for a suspended intervention handler."""
        self._wake(self._interception_waiters)

    # Idleness.

    async def wait_until_idle(self) -> None:
        """Wait until every accepted message is settled (L2)."""
        self.engine.idle_is_awaited = True
        while not self.engine.idle:
            await self._wait(self._idle_waiters)

    def notify_idle(self) -> None:
        """Wake the waiters for idleness."""
        self._wake(self._idle_waiters)

    async def stop_when(self, condition: Callable[[], bool]) -> None:
        """Stop as soon as a condition holds. It is checked twenty times a second."""
        while not condition():  # noqa: ASYNC110 - the condition may be about anything
            await asyncio.sleep(0.05)
        if self.is_started:
            await self.stop()

    @staticmethod
    async def _wait(waiters: set[asyncio.Future[None]]) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiters.add(waiter)
        try:
            await waiter
        finally:
            waiters.discard(waiter)

    @staticmethod
    def _wake(waiters: set[asyncio.Future[None]]) -> None:
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
