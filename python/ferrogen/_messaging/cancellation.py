"""Cancellation tokens own the wish to stop; what stopping means is left to those who listen."""

import asyncio
from asyncio import Future
from collections.abc import Callable
from typing import Any


class CancellationToken:
    """Carries one wish, "stop", from whoever asked for work to whoever does it.

    May be cancelled from any thread, and touched freely from its own callbacks. Futures are
    linked to it from the thread of their own event loop.

    Example:
        ```python
        import asyncio

        from ferrogen import CancellationToken


        async def main() -> None:
            token = CancellationToken()
            task = asyncio.ensure_future(asyncio.Event().wait())
            token.link_future(task)
            token.cancel()
            try:
                await task
            except asyncio.CancelledError:
                print("stopped")


        asyncio.run(main())
        ```
    """

    # There is no lock: a callback, a finalizer or a signal handler that touches the token in the
    # middle of one of these methods would wait for itself. Instead `cancel` raises the flag before
    # it takes callbacks out, the others put a callback in before they look at the flag, and
    # whoever takes a callback out of the dict (one atomic step) is the one that runs it.

    def __init__(self) -> None:
        self._cancelled = False
        self._callbacks: dict[object, Callable[[], None]] = {}

    def cancel(self) -> None:
        """Cancel what is linked to this token and run its callbacks, in the order they were added.

        The second call does nothing. Should callbacks raise, the others still run, and the first
        error is raised at the end.
        """
        if self._cancelled:
            return
        self._cancelled = True
        first_error: BaseException | None = None
        while self._callbacks:
            for key in list(self._callbacks):
                callback = self._callbacks.pop(key, None)
                if callback is None:
                    continue
                try:
                    callback()
                except BaseException as error:  # noqa: BLE001 - the first one is raised below
                    if first_error is None:
                        first_error = error
        if first_error is not None:
            raise first_error

    def is_cancelled(self) -> bool:
        """Tell whether ``cancel`` has been called."""
        return self._cancelled

    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call a function when the token is cancelled; at once if it is cancelled already.

        Args:
            callback: Called without arguments, in the thread that cancels.
        """
        self._add(object(), callback)

    def link_future(self, future: Future[Any]) -> Future[Any]:
        """Cancel a future or task when the token is cancelled; at once if it is cancelled already.

        A future that belongs to the loop of another thread is cancelled in that thread. One that
        settles is forgotten. Anything with asyncio's or concurrent.futures' ``done``, ``cancel``
        and ``add_done_callback`` will do. A coroutine is left alone: it runs inside whoever
        awaits it, and only that can be cancelled.

        Args:
            future: The pending work.

        Returns:
            The same future.
        """
        # What a send returns is both, while somebody waits for it.
        if asyncio.iscoroutine(future) and not asyncio.isfuture(future):
            return future
        if future.done():
            return future
        key = object()
        self._add(key, lambda: _cancel_in_its_loop(future))
        if key in self._callbacks:
            future.add_done_callback(lambda _settled: self._callbacks.pop(key, None))
        return future

    def _add(self, key: object, callback: Callable[[], None]) -> None:
        self._callbacks[key] = callback
        if self._cancelled and self._callbacks.pop(key, None) is not None:
            callback()


def _cancel_in_its_loop(future: Future[Any]) -> None:
    get_loop = getattr(future, "get_loop", None)
    if get_loop is None:  # a concurrent.futures.Future looks after its threads itself
        future.cancel()
        return
    loop: asyncio.AbstractEventLoop = get_loop()
    if loop.is_closed():
        return
    if loop.is_running() and asyncio._get_running_loop() is not loop:
        try:
            loop.call_soon_threadsafe(future.cancel)
        except RuntimeError:
            if not loop.is_closed():  # it was closed just now: nobody waits for the future
                raise
    else:
        future.cancel()
