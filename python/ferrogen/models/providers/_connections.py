"""Connection pools of a client: one for each event loop, closed with its loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from ferrogen.models.providers._http import Connection, Response


class Connections:
    """The connections of a client, one for each event loop that uses it.

    A connection pool belongs to the event loop in which it was first used. Another event loop
    gets a pool of its own. A pool is closed when its loop shuts down its asynchronous generators,
    as `asyncio.run` does, or when the client is closed.

    Args:
        make: Makes a connection.
        shared: Whether all event loops share one, because the program passed its own HTTP client.
    """

    def __init__(self, make: Callable[[], Connection], *, shared: bool = False) -> None:
        self._make = make
        self._shared = make() if shared else None
        self._lock = Lock()
        self._keepers: WeakKeyDictionary[asyncio.AbstractEventLoop, _Keeper] = WeakKeyDictionary()

    async def here(self) -> Connection:
        """Return the connection of the running event loop."""
        if self._shared is not None:
            return self._shared
        loop = asyncio.get_running_loop()
        keeper = self._keepers.get(loop)
        if keeper is None:
            with self._lock:
                keeper = _Keeper(self._make(), lambda: self._forget(loop))
                for other in [other for other in self._keepers if other.is_closed()]:
                    del self._keepers[other]
                self._keepers[loop] = keeper
            await keeper.start()
        return keeper.connection

    def _forget(self, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._keepers.pop(loop, None)

    async def close(self) -> None:
        """Close the pools of all event loops; a client that is used again makes new ones."""
        if self._shared is not None:
            await self._shared.close()
        with self._lock:
            keepers, self._keepers = list(self._keepers.items()), WeakKeyDictionary()
        here = asyncio.get_running_loop()
        for loop, keeper in keepers:
            if loop is here:
                await keeper.close()
            elif loop.is_running():
                closing = asyncio.run_coroutine_threadsafe(keeper.close(), loop)
                await asyncio.wrap_future(closing)


class _Keeper:
    """Holds a connection, and closes it when its event loop shuts down.

    An event loop closes the asynchronous generators that were started in it, when it is asked to
    shut them down. This is the only hook that it has.
    """

    def __init__(self, connection: Connection, on_close: Callable[[], None]) -> None:
        self.connection = connection
        self._on_close = on_close
        self._generator = self._kept()

    async def start(self) -> None:
        await anext(self._generator)

    async def close(self) -> None:
        await self._generator.aclose()

    async def _kept(self) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            self._on_close()
            await self.connection.close()


class SdkConnection:
    """Sends requests through a client of OpenAI's or Anthropic's SDK.

    Args:
        client: The client of the SDK. It finds addresses, retries and waits as it was set up.
        stream_type: The SDK's class of streams.
    """

    def __init__(self, client: Any, stream_type: Any) -> None:
        self._client = client
        self._stream_type = stream_type

    async def post(
        self, path: str, body: Mapping[str, Any], options: Mapping[str, Any]
    ) -> Response:
        """Send a request, and return the response before its body is read."""
        stream = await self._client.post(
            path,
            cast_to=object,
            body=dict(body),
            options=dict(options),
            stream=True,  # for the SDK: the body of the response is not read
            stream_cls=self._stream_type[object],
        )
        response: Response = stream.response
        return response

    async def close(self) -> None:
        """Close the client of the SDK."""
        await self._client.close()
