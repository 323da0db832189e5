"""Event loop binding: a runtime uses one event loop at a time."""

from __future__ import annotations

import asyncio

from ferrogen.exceptions import WrongLoopError

__all__ = ["LoopBinding"]


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
