"""Interruption of a waiting task by a cancellation token."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, TypeVar

from typing_extensions import Self

from ferrogen._core import CancellationToken

_Value = TypeVar("_Value")


class Interruption:
    """Ends an await when a token is cancelled.

    Unlike a task for each thing that is waited for, it costs next to nothing for each chunk of a
    stream. A token that is cancelled between two waits ends the next.

    Args:
        token: The token; without one nothing is ever interrupted.

    Example:
        ```python
        import asyncio

        from ferrogen import CancellationToken
        from ferrogen.models.interruption import Interruption


        async def main() -> None:
            token = CancellationToken()
            asyncio.get_running_loop().call_soon(token.cancel)
            with Interruption(token) as interruption:
                try:
                    await interruption.of(asyncio.Event().wait())
                except asyncio.CancelledError:
                    print("stopped")


        asyncio.run(main())
        ```
    """

    def __init__(self, token: CancellationToken | None) -> None:
        self._token = token
        self._waiting: asyncio.Task[Any] | None = None
        self._linked: asyncio.Future[None] | None = None
        self._cancelled = False

    def __enter__(self) -> Self:
        if self._token is not None:
            self._linked = asyncio.get_running_loop().create_future()
            self._linked.add_done_callback(self._on_done)
            _ = self._token.link_future(self._linked)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._linked is not None and not self._linked.done():
            self._linked.set_result(None)  # the token forgets a future that is done

    def raise_if_cancelled(self) -> None:
        """Raise if the token was cancelled meanwhile.

        What `anext` gives has to be waited for once it is there; so this comes before it.

        Raises:
            asyncio.CancelledError: The token was cancelled.
        """
        if self._linked is not None and self._linked.cancelled():
            raise asyncio.CancelledError("the cancellation token was cancelled")

    async def of(self, work: Awaitable[_Value]) -> _Value:
        """Wait for work.

        Args:
            work: A coroutine or anything else that can be awaited.

        Returns:
            Its return value.

        Raises:
            asyncio.CancelledError: The token was cancelled.
        """
        if self._linked is None:
            return await work
        try:
            self.raise_if_cancelled()
        except asyncio.CancelledError:
            if inspect.iscoroutine(work):
                work.close()
            raise
        self._waiting = asyncio.current_task()
        try:
            return await work
        except asyncio.CancelledError:
            if self._cancelled and self._waiting is not None:
                _take_back(self._waiting)
            raise
        finally:
            self._waiting = None

    def _on_done(self, linked: asyncio.Future[None]) -> None:
        if linked.cancelled() and self._waiting is not None:
            self._cancelled = True
            self._waiting.cancel("the cancellation token was cancelled")


def _take_back(task: asyncio.Task[Any]) -> None:
    """Take back the cancellation of a task; before 3.11 tasks do not count them."""
    uncancel = getattr(task, "uncancel", None)
    if uncancel is not None:
        uncancel()
