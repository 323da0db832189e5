"""A request in flight that several callers share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ferrogen._core import CancellationToken
from ferrogen.models.middleware.request import ResponseStream
from ferrogen.models.results import CreateResult


class Flight:
    """A request in flight, with the parts received so far.

    It continues as long as it has followers, also without the first one. When the last one
    leaves, it is cancelled.

    Args:
        begin: Begins the request, under the token that it is given.
        over: Called when it cannot be joined any more.
    """

    def __init__(
        self, begin: Callable[[CancellationToken], ResponseStream], over: Callable[[], None]
    ):
        self._begin = begin
        self._over = over
        self._items: list[str | CreateResult] = []
        self._followers = 0
        self._told = False
        self._news = asyncio.get_running_loop().create_future()
        self._token = CancellationToken()

    def start(self) -> None:
        """Begin the request; it may be over at once, if tasks of this loop start eagerly."""
        self._task = asyncio.ensure_future(self._run())
        # Its followers get the error; without followers it is dropped.
        self._task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _run(self) -> None:
        items = self._begin(self._token)
        try:
            async for item in items:
                self._items.append(item)
                self._tell()
        finally:
            self._over()
            await items.aclose()

    def _tell(self) -> None:
        news, self._news = self._news, self._news.get_loop().create_future()
        news.set_result(None)

    async def follow(self, token: CancellationToken | None) -> ResponseStream:
        """Yield the response from its beginning on.

        The result is as it came for the first that it is given to; the others learn that it was
        there already, so that it is not paid for twice.
        """
        self._followers += 1
        try:
            given = 0
            while True:
                while given < len(self._items):
                    given += 1
                    yield self._for_this_one(self._items[given - 1])
                if self._task.done():
                    self._task.result()
                    return
                await self._more(token)
        finally:
            self._followers -= 1
            if not self._followers and not self._task.done():
                self._over()
                self._token.cancel()
                self._task.cancel()
                await asyncio.wait([self._task])

    async def _more(self, token: CancellationToken | None) -> None:
        """Wait for another item, or the end."""
        waiting = asyncio.ensure_future(
            asyncio.wait([self._news, self._task], return_when=asyncio.FIRST_COMPLETED)
        )
        await (waiting if token is None else token.link_future(waiting))

    def _for_this_one(self, item: str | CreateResult) -> str | CreateResult:
        if isinstance(item, CreateResult):
            if self._told:
                return item.model_copy(update={"cached": True})
            self._told = True
        return item
