"""A memory in a LanceDB folder, for more vectors than fit into memory."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from typing_extensions import Self

from ferrogen._core import CancellationToken
from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import MemoryContentError, MemoryQueryError
from ferrogen.memory.content import MemoryContent
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.embedders.vectorizing import Vectorizer
from ferrogen.memory.filters import ID, Filter, chosen
from ferrogen.memory.items import MemoryItem, NewItem, Scope, expiry, timestamp, ttl_seconds
from ferrogen.memory.lance.expressions import relaxed, visible
from ferrogen.memory.lance.table import COLUMNS, LanceTable, item_of, listed
from ferrogen.memory.ranking import fused, weighted
from ferrogen.memory.recall import DEFAULT_TEMPLATE, query_text
from ferrogen.memory.search import SearchOptions, SearchResult
from ferrogen.memory.searchable import SearchableMemory, SearchableMemoryConfig, new_items
from ferrogen.memory.sql.encoding import encode
from ferrogen.memory.vectors import numerics
from ferrogen.memory.words import query_words

_AT_ONCE = 500
_FEWEST_CANDIDATES = 200


class LanceMemoryConfig(SearchableMemoryConfig):
    """The config of a `LanceMemory`."""

    path: str
    embedder: ComponentModel


class LanceMemory(SearchableMemory, Component[LanceMemoryConfig]):
    """A memory in LanceDB, with the searches and filters of `SqliteMemory`.

    Vectors stay on disk, so it is for millions of items. It needs the ``lancedb`` extra. It has
    namespaces, lifetimes and provenance; versions, duplicates, quotas, MMR and erasure of every
    byte are those of `SqliteMemory`.

    Args:
        path: The folder; made if there is none.
        embedder: Computes vectors.
        scope: The namespace: items of others are neither found nor changed.
        search: How to search, if a search says nothing else.
        recall_messages: From how many of the newest messages `update_context` makes its query.
        template: The message of `update_context`, with ``{memories}`` for the items.
        clock: Returns the time in seconds since 1970; for tests.

    Raises:
        MissingDependencyError: lancedb is not installed.
        MemoryContentError: An argument is invalid.

    Example:
        ```python
        import asyncio
        from tempfile import TemporaryDirectory

        from ferrogen.memory import HashingEmbedder, LanceMemory, MemoryContent


        async def main(folder: str) -> None:
            memory = LanceMemory(folder, embedder=HashingEmbedder())
            await memory.add(MemoryContent(content="Ada likes tea.", mime_type="text/plain"))
            (result,) = await memory.search("tea", limit=1)
            assert result.item.content.content == "Ada likes tea."
            await memory.close()


        with TemporaryDirectory() as folder:
            asyncio.run(main(folder))
        ```
    """

    __module__ = "ferrogen.memory"

    component_config_schema = LanceMemoryConfig
    component_provider_override = "ferrogen.memory.LanceMemory"

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        embedder: Embedder,
        scope: Scope | None = None,
        search: SearchOptions | None = None,
        recall_messages: int = 3,
        template: str = DEFAULT_TEMPLATE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(embedder, scope, search, recall_messages, template)
        self._path = os.fsdecode(path)
        self._now = clock
        self._vectorizer = Vectorizer(embedder)
        self._table = LanceTable(self._path, embedder.id)

    async def add_many(
        self,
        items: Iterable[NewItem | MemoryContent],
        cancellation_token: CancellationToken | None = None,
    ) -> list[str]:
        """Add items in one commit, all or none of them, and return their ids.

        Raises:
            MemoryContentError: An item cannot be stored, or its id exists.
            MemoryStoreError: The folder cannot be written.
        """
        new = new_items(items)
        rows = [self._row(each) for each in new]
        if not rows:
            return []
        ids = [row["id"] for row in rows]
        texts = [row["text"] for row in rows if row["text"].strip()]
        vectors = dict(
            zip(texts, await self._vectorizer.stored(texts, cancellation_token), strict=True)
        )
        np = numerics()
        for row in rows:
            vector = vectors.get(row["text"])
            row["vector"] = None if vector is None else np.frombuffer(vector, "<f4")
            row["embedder"] = None if vector is None else self._vectorizer.embedder.id
        sizes = [len(vector) // 4 for vector in vectors.values()]
        if not sizes:
            sizes = [len(await self._vectorizer.query("dimensions")) // 4]
        with self._table.errors():
            table = await self._table.opened(sizes[0])
            given = [each.id for each in new if each.id is not None]
            if given and (len(set(ids)) < len(ids) or await table.count_rows(listed(given))):
                raise MemoryContentError(f"an item with one of the ids {given} exists already")
            await table.add(rows)
        return ids

    async def search(
        self,
        query: str | MemoryContent,
        *,
        where: Filter | None = None,
        cancellation_token: CancellationToken | None = None,
        **options: Any,
    ) -> list[SearchResult]:
        """Return the items that a search finds, the best first.

        Args:
            query: The text to search for; an empty one finds the newest items.
            where: The condition that items have to meet before they are ranked.
            cancellation_token: Ends the computation of the vector of the query.
            **options: Fields of `SearchOptions`, in place of those of this memory.

        Raises:
            MemoryQueryError: An argument is invalid.
            EmbedderMismatchError: The stored vectors are of another embedder.
            MemoryStoreError: The folder cannot be read.
        """
        chosen = self._search.changed(**options)
        if chosen.mmr is not None:
            raise MemoryQueryError("a LanceMemory has no mmr: leave it out, or use a SqliteMemory")
        text, now = query_text(query), self._now()
        relaxed(where)
        if not text.strip():
            newest = await self.items(where, limit=chosen.limit)
            return [SearchResult(item=item, score=0.0) for item in newest]
        mode = "hybrid" if chosen.mode == "auto" else chosen.mode
        plain = mode != "hybrid" and chosen.half_life_seconds is None
        plain = plain and not chosen.importance_weight
        depth = chosen.limit if plain else max(_FEWEST_CANDIDATES, 4 * chosen.limit)
        vector = None
        if mode != "text":
            vector = await self._vectorizer.query(text, cancellation_token)
        with self._table.errors():
            table = await self._table.opened()
            if table is None:
                return []
            rankings: dict[str, list[tuple[MemoryItem, float]]] = {}
            if mode != "vector":
                words = " ".join(query_words(text))
                rankings["text"] = await self._ranked(
                    lambda: table.query().nearest_to_text(words), where, depth, now
                )
            if vector is not None:
                numbers = numerics().frombuffer(vector, "<f4")
                near = await self._ranked(
                    lambda: table.query().nearest_to(numbers).distance_type("cosine"),
                    where,
                    depth,
                    now,
                )
                keep_all = mode == "vector"
                rankings["vector"] = [pair for pair in near if pair[1] > 0 or keep_all]
        return _results(rankings, chosen, now)

    async def _ranked(
        self, query: Callable[[], Any], where: Filter | None, depth: int, now: float
    ) -> list[tuple[MemoryItem, float]]:
        """Return the best items that fulfill the filter; as many are fetched as it takes."""
        condition = f"{visible(self._scope, now)} AND {relaxed(where)}"
        fetched = depth
        while True:
            rows = await query().where(condition).limit(fetched).to_list()
            found = [
                (item_of(row), row["_score"] if "_score" in row else 1 - row["_distance"])
                for row in rows
            ]
            found = [pair for pair in found if where is None or where.matches(pair[0])]
            if len(found) >= depth or len(rows) < fetched:
                return found[:depth]
            fetched *= 4

    async def items(
        self, where: Filter | None = None, *, limit: int | None = 100
    ) -> list[MemoryItem]:
        """Return items that fulfill a filter, the newest first.

        Args:
            where: The filter.
            limit: The most items; None for all.
        """
        condition = f"{visible(self._scope, self._now())} AND {relaxed(where)}"
        with self._table.errors():
            table = await self._table.opened()
            if table is None:
                return []
            rows = await table.query().where(condition).select(list(COLUMNS)).to_list()
        found = [item for item in map(item_of, rows) if where is None or where.matches(item)]
        found.sort(key=lambda item: item.created_at, reverse=True)
        return found[:limit]

    async def get(self, id: str) -> MemoryItem | None:
        """Return the item with an id, or None."""
        found = await self.items(ID.equals(id), limit=1)
        return found[0] if found else None

    async def delete(self, which: str | Filter) -> int:
        """Delete items for good, and return how many there were.

        Args:
            which: The id of an item, or a filter.
        """
        where = chosen(which)
        ids = [item.id for item in await self.items(where, limit=None)]
        inside = visible(self._scope, self._now())
        with self._table.errors():
            for start in range(0, len(ids), _AT_ONCE):
                table = await self._table.opened()
                await table.delete(f"{inside} AND {listed(ids[start : start + _AT_ONCE])}")
        return len(ids)

    async def optimize(self) -> None:
        """Merge files, index new texts, and remove deleted items; now and then."""
        with self._table.errors():
            table = await self._table.opened()
            if table is not None:
                await table.optimize()

    async def clear(self) -> None:
        """Delete all items of the namespace."""
        inside = visible(self._scope, float("-1e18"))  # the expired ones, too
        with self._table.errors():
            table = await self._table.opened()
            if table is not None:
                await table.delete(inside)

    async def close(self) -> None:
        """Release the folder."""
        if not self._is_view:
            await self._table.close()

    def _row(self, item: NewItem) -> dict[str, Any]:
        encoded = encode(item.content, item.text)
        scope = item.scope.within(self._scope)
        created = self._now() if item.created_at is None else timestamp("", item.created_at)
        content = encoded.content
        return {
            "id": item.id or uuid.uuid4().hex,
            "user": scope.user or "",
            "agent": scope.agent or "",
            "conversation": scope.conversation or "",
            "source": item.source,
            "message_id": item.message_id,
            "kind": encoded.kind,
            "mime_type": encoded.mime_type,
            "metadata": encoded.metadata,
            "text": encoded.text,
            "version": 1.0,
            "importance": float(item.importance),
            "created_at": created,
            "expires_at": expiry(created, ttl_seconds(item.ttl)),
            "content": content if isinstance(content, bytes) else content.encode(),
        }

    def _to_config(self) -> LanceMemoryConfig:
        return LanceMemoryConfig(path=self._path, **self._settings())

    @classmethod
    def _from_config(cls, config: LanceMemoryConfig) -> Self:
        return cls(**config.arguments())


def _results(
    rankings: dict[str, list[tuple[MemoryItem, float]]], options: SearchOptions, now: float
) -> list[SearchResult]:
    items: dict[str, MemoryItem] = {}
    for ranking in rankings.values():
        items.update((item.id, item) for item, _ in ranking)
    numbers = {identity: number for number, identity in enumerate(items)}
    by_number = list(items.values())
    numbered: dict[str, Sequence[tuple[int, float]]] = {
        name: [(numbers[item.id], score) for item, score in ranking]
        for name, ranking in rankings.items()
    }
    candidates = fused(numbered, options)
    if options.half_life_seconds is not None or options.importance_weight:
        facts = {
            number: (item.created_at.timestamp(), item.importance)
            for number, item in enumerate(by_number)
        }
        candidates = weighted(candidates, options, facts, now)
    return [
        SearchResult(item=by_number[each.row], score=each.score, parts=each.parts)
        for each in candidates
        if options.min_score is None or each.score >= options.min_score
    ][: options.limit]
