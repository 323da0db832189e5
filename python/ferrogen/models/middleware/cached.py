"""Cache middleware, which also merges concurrent equal requests."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

from pydantic import BaseModel, ValidationError
from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.cache_store import CacheStore, InMemoryStore
from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import SerializationError
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.middleware.flight import Flight
from ferrogen.models.middleware.identity import identity
from ferrogen.models.middleware.json_forms import fingerprint, read_result, written, written_result
from ferrogen.models.middleware.middleware import Middleware
from ferrogen.models.middleware.request import Request, ResponseStream
from ferrogen.models.middleware.settings import Clock, above_zero
from ferrogen.models.results import CreateResult, RequestUsage
from ferrogen.models.usage import DetailedUsage
from ferrogen.telemetry.names import ROOT_LOGGER_NAME


@dataclass(frozen=True)
class CacheEntry:
    """A response: the pieces in which it was streamed, if it was, its result, and when it came."""

    at: float
    pieces: Sequence[str]
    result: CreateResult

    def to_text(self) -> str:
        """Write it down."""
        form = {"at": self.at, "pieces": self.pieces, "result": written_result(self.result)}
        return json.dumps(form)

    @classmethod
    def from_text(cls, text: str) -> CacheEntry:
        """Read what `to_text` wrote.

        Raises:
            SerializationError: It did not write this.
        """
        try:
            form = json.loads(text)
            return cls(float(form["at"]), list(form["pieces"]), read_result(form["result"]))
        except (ValueError, TypeError, KeyError, ValidationError) as error:
            raise SerializationError("the stored value is not a response") from error

    def holds(self, now: float, seconds: float | None) -> bool:
        """Return whether it has not expired."""
        return seconds is None or now - self.at < seconds

    def items(self, *, streaming: bool) -> Iterator[str | CreateResult]:
        """Replay the response as it was received; without pieces, stream its text as one piece."""
        if streaming:
            text = self.result.content
            yield from self.pieces or ([text] if isinstance(text, str) and text else [])
        yield self.result.model_copy(update={"cached": True})


_LOG = logging.getLogger(f"{ROOT_LOGGER_NAME}.models")


_Place: TypeAlias = tuple[str, bool, asyncio.AbstractEventLoop]
"""A request, whether it is streamed, and the event loop of its callers."""


class CachedConfig(BaseModel):
    """The config of a `Cached`."""

    client: ComponentModel
    store: ComponentModel
    ttl_seconds: float | None = None
    model: str | None = None


class Cached(Middleware, Component[CachedConfig]):
    """Caches responses, and returns them for equal requests.

    Messages, tools, options and the model have to be the same. A stream is given again in the
    pieces it came in. Errors are not remembered. Equal requests at the same time are asked once;
    a caller that is cancelled does not affect the others. If the store fails, that is logged, and
    the model is asked.

    Args:
        client: The client for requests that are not in the cache.
        store: Keeps the responses, as text; by default in this process. It is asked in a thread
            unless it is an `InMemoryStore`.
        ttl_seconds: How long a response holds; ``None`` for no limit.
        model: The name of the model in the cache; by default the config of the client,
            without its keys.
        clock: The source of time.

    Raises:
        ClientSetupError: The client cannot be dumped, and no model is given.

    Example:
        ```python
        import asyncio

        from ferrogen.models import UserMessage
        from ferrogen.models.middleware import Cached
        from ferrogen.testing import ScriptedModel


        async def main() -> None:
            client = Cached(ScriptedModel(["Ciao!"]))
            question = [UserMessage(content="Hello", source="me")]
            results = [await client.create(question) for _ in range(2)]
            assert [result.content for result in results] == ["Ciao!", "Ciao!"]
            assert [result.cached for result in results] == [False, True]


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.models.middleware"

    component_config_schema = CachedConfig

    def __init__(
        self,
        client: ChatCompletionClient,
        store: CacheStore[str] | None = None,
        *,
        ttl_seconds: float | None = None,
        model: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(client)
        above_zero(ttl_seconds=ttl_seconds)
        self._store: CacheStore[str] = InMemoryStore() if store is None else store
        self._ttl_seconds = ttl_seconds
        self._model = model
        self._identity = identity(client) if model is None else model
        self._clock = clock or Clock()
        self._flights: dict[_Place, Flight] = {}
        self._remembered = DetailedUsage(0, 0, cost=0.0)

    def total_usage(self) -> RequestUsage:
        """Return the tokens of all requests, including cache hits."""
        return self._client.total_usage() + self._remembered

    async def close(self) -> None:
        """Close the client within, and the store if it can be closed."""
        await super().close()
        if (close := getattr(self._store, "close", None)) is not None:
            await self._ask_store(close)

    async def _respond(self, request: Request) -> ResponseStream:
        key = fingerprint({"model": self._identity, **written(request)})
        # The task of a flight belongs to one event loop, so callers in another do not join it.
        place = (key, request.streaming, asyncio.get_running_loop())
        flight = self._flights.get(place)
        if flight is None:
            flight = self._start(place, request)
        async with aclosing(flight.follow(request.cancellation_token)) as items:
            async for item in items:
                if isinstance(item, CreateResult) and item.cached:
                    self._remembered += item.usage
                yield item

    def _start(self, place: _Place, request: Request) -> Flight:
        key = place[0]

        def begin(token: CancellationToken) -> ResponseStream:
            return self._remember(key, request.under(token))

        def over() -> None:
            if self._flights.get(place) is flight:
                del self._flights[place]

        flight = self._flights[place] = Flight(begin, over)
        flight.start()
        return flight

    async def _remember(self, key: str, request: Request) -> ResponseStream:
        entry = await self._find(key)
        if entry is not None:
            for item in entry.items(streaming=request.streaming):
                yield item
            return
        pieces: list[str] = []
        async with aclosing(request.ask(self._client)) as items:
            async for item in items:
                if isinstance(item, CreateResult):
                    # Before it is yielded: the consumer may stop then, and end the flight.
                    await self._keep(key, CacheEntry(self._clock.time(), pieces, item))
                else:
                    pieces.append(item)
                yield item

    async def _find(self, key: str) -> CacheEntry | None:
        try:
            text = await self._ask_store(self._store.get, key)
            entry = None if text is None else CacheEntry.from_text(text)
        except Exception:  # noqa: BLE001 - the model can still be asked
            _LOG.warning("the cache could not be read, so the model is asked", exc_info=True)
            return None
        now = self._clock.time()
        return entry if entry is not None and entry.holds(now, self._ttl_seconds) else None

    async def _keep(self, key: str, entry: CacheEntry) -> None:
        try:
            await self._ask_store(self._store.set, key, entry.to_text())
        except Exception:  # noqa: BLE001 - the response is there, and paid for
            _LOG.warning("a response could not be put into the cache", exc_info=True)

    async def _ask_store(self, method: Callable[..., Any], *arguments: str) -> Any:
        if isinstance(self._store, InMemoryStore):
            return method(*arguments)
        return await asyncio.to_thread(method, *arguments)

    def _to_config(self) -> CachedConfig:
        return CachedConfig(
            client=self._client.dump_component(),
            store=self._store.dump_component(),
            ttl_seconds=self._ttl_seconds,
            model=self._model,
        )

    @classmethod
    def _from_config(cls, config: CachedConfig) -> Self:
        client = ChatCompletionClient.load_component(config.client)
        store: CacheStore[str] = CacheStore.load_component(config.store)
        return cls(client, store, ttl_seconds=config.ttl_seconds, model=config.model)
