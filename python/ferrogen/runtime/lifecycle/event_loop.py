"""The event loop of a runtime: its binding, and signal handlers that restore those before them."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from types import TracebackType
from typing import Any

from typing_extensions import Self

from ferrogen.exceptions import SignalsNotSupportedError, WrongLoopError

__all__ = ["LoopBinding", "SignalHandlers"]


class LoopBinding:
    """The event loop that a runtime is bound to while it has work there."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def enter(self, *, busy: bool) -> asyncio.AbstractEventLoop:
        """Return the running loop, binding to it; a runtime without work may change loops.

        Args:
            busy: Whether the runtime is started or has handlers running on its loop.

        Raises:
            WrongLoopError: If it is busy on another loop.
        """
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return loop
        if busy and self._loop is not None:
            if self._loop.is_closed():
                raise WrongLoopError(
                    "the event loop that this runtime was started on is closed; stop the runtime "
                    "before its loop ends, or make a new runtime"
                )
            raise WrongLoopError(
                "this runtime is running on another event loop; schedule the call with "
                "asyncio.run_coroutine_threadsafe(..., its_loop), or give each loop its own runtime"
            )
        self._loop = loop
        return loop


class SignalHandlers:
    """Receives signals in the running event loop, inside a `with` block.

    At the end, the handlers that were there before are installed again.

    Args:
        signals: The signals.

    Raises:
        SignalsNotSupportedError: The signals cannot be handled here.
    """

    def __init__(self, signals: Sequence[int]) -> None:
        self._signals = [signal.Signals(one) for one in dict.fromkeys(signals)]
        self._received: asyncio.Queue[signal.Signals] = asyncio.Queue()
        self._before: list[tuple[signal.Signals, Any, asyncio.Handle | None]] = []

    async def next(self) -> signal.Signals:
        """Wait for the next signal."""
        return await self._received.get()

    def __enter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        for one in self._signals:
            # The loop has a handler of its own for a signal; Python has one for any.
            handle = getattr(self._loop, "_signal_handlers", {}).get(one)
            python_handler = signal.getsignal(one)
            try:
                self._loop.add_signal_handler(one, self._received.put_nowait, one)
            except (NotImplementedError, RuntimeError, ValueError) as error:
                self._restore()
                reason = str(error) or "the event loop has no signal handlers"
                raise SignalsNotSupportedError(
                    f"{one.name} cannot be handled here ({reason}): handle "
                    "signals in the main thread, on an event loop that has add_signal_handler, or "
                    "call stop(drain=True) from a handler of your own"
                ) from error
            self._before.append((one, python_handler, handle))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def _restore(self) -> None:
        while self._before:
            one, python_handler, handle = self._before.pop()
            _ = self._loop.remove_signal_handler(one)
            if handle is not None:
                restored: Any = handle
                add = self._loop.add_signal_handler
                restored._context.run(add, one, restored._callback, *restored._args)
            elif python_handler is not None:  # None: it was not installed by Python
                _ = signal.signal(one, python_handler)
