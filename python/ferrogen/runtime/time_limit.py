"""A time limit for a block of code in a task: `asyncio.timeout`, also on CPython 3.10."""

from __future__ import annotations

import asyncio
from types import TracebackType

__all__ = ["TimeLimit"]


class TimeLimit:
    """Cancels the running task when the block takes too long, and raises in place of that.

    Args:
        seconds: The limit.
        error: The error to raise when the block has exceeded it.
    """

    def __init__(self, seconds: float, error: Exception) -> None:
        self._seconds = seconds
        self._error = error
        self._is_over = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a time limit needs a task")
        self._task = task
        self._requests = _cancellation_requests(task)
        self._timer = task.get_loop().call_later(self._seconds, self._cancel)

    def _cancel(self) -> None:
        self._is_over = True
        self._task.cancel()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        if not self._is_over:
            return
        uncancel = getattr(self._task, "uncancel", None)
        others = self._requests if uncancel is None else uncancel()
        # The task may have been cancelled for another reason, too: then it stays so.
        if others <= self._requests and isinstance(error, asyncio.CancelledError):
            raise self._error from error


def _cancellation_requests(task: asyncio.Task[object]) -> int:
    cancelling = getattr(task, "cancelling", None)  # since CPython 3.11
    return 0 if cancelling is None else cancelling()
