"""Vectors of the items in a file, and a change of their embedder."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeAlias

from ferrogen._core import CancellationToken
from ferrogen.exceptions import EmbedderMismatchError
from ferrogen.memory.embedders.embedder import Embedder
from ferrogen.memory.embedders.vectorizing import Vectorizer
from ferrogen.memory.sql.backend import Backend, Connection
from ferrogen.memory.sql.encoding import EncodedContent, text_to_embed
from ferrogen.memory.sql.writing import next_change

EmbedderChange: TypeAlias = Literal["refuse", "reembed"]

_BATCH = 64
_PENDING = (
    "valid_until IS NULL AND coalesce(embedder, '') <> ? AND "
    "(vector IS NOT NULL OR trim(coalesce(text, CAST(content AS TEXT))) <> '')"
)


@dataclass(frozen=True, kw_only=True)
class ReembeddingProgress:
    """How far a change of the embedder has got.

    Args:
        done: The items that have new vectors.
        total: All items that need them.
    """

    done: int
    total: int


class VectorStore:
    """The vectors of one embedder in a database.

    Args:
        backend: The database.
        embedder: The embedder.
        change: The treatment of vectors of other embedders.
    """

    def __init__(self, backend: Backend, embedder: Embedder, change: EmbedderChange) -> None:
        self._backend = backend
        self._database = backend.database
        self._change = change
        self.vectorizer = Vectorizer(embedder)
        self.progress: ReembeddingProgress | None = None
        self._background: asyncio.Task[int] | None = None

    @property
    def embedder(self) -> str:
        """The id of the embedder."""
        return self.vectorizer.embedder.id

    def others(self, connection: Connection) -> list[str]:
        """Return the ids of other embedders that vectors in the file are from.

        Raises:
            EmbedderMismatchError: There are some, and they are not to be replaced.
        """
        others = other_embedders(connection, self.embedder)
        if others and self._change == "refuse":
            raise EmbedderMismatchError(
                f"the memory {self._database.path} has vectors of {', '.join(others)}, which "
                f'cannot be compared with those of {self.embedder}: use embedder_change="reembed", '
                "call reembed(), or use the former embedder",
                stored=others,
            )
        return others

    def replace(self, others: Sequence[str]) -> None:
        """Begin to replace the vectors of other embedders in the background, if there are any.

        Raises:
            EmbedderError: The last attempt has failed.
        """
        if self._background is not None and self._background.done():
            finished, self._background = self._background, None
            if not finished.cancelled():
                finished.result()
        if others and self._background is None:
            self._background = asyncio.ensure_future(self.reembed(None))

    async def of_contents(
        self, contents: Sequence[EncodedContent], token: CancellationToken | None
    ) -> list[bytes | None]:
        """Return the vectors of contents; None where there is no text.

        Those of equal contents in the file are used again.

        Raises:
            EmbedderMismatchError: The file has vectors of another embedder.
        """
        texts = {each.text: each.hash for each in contents if each.text.strip()}
        others, known = await self._database.read(
            lambda each: (self.others(each), self._stored(each, texts)), token
        )
        self.replace(others)
        missing = [text for text in texts if text not in known]
        found = await self.vectorizer.stored(missing, token)
        known.update(zip(missing, found, strict=True))
        return [known.get(each.text) for each in contents]

    async def reembed(self, on_progress: Callable[[ReembeddingProgress], None] | None) -> int:
        """Compute the vectors of all items that have none of this embedder, in batches.

        Returns:
            How many items got a new vector.
        """
        total = await self._database.read(self._count_pending)
        done = 0
        last = 0
        while True:
            rows = await self._database.read(partial(self._pending, last))
            if not rows:
                return done
            vectors = await self.vectorizer.stored([text for _, text in rows])
            pairs = [(vector, row) for (row, _), vector in zip(rows, vectors, strict=True)]
            await self._database.write(partial(self._replace, pairs))
            last = rows[-1][0]
            done += len(rows)
            self.progress = ReembeddingProgress(done=done, total=max(total, done))
            if on_progress is not None:
                on_progress(self.progress)

    async def close(self) -> None:
        """End a change of the embedder, which the next use continues."""
        if self._background is not None:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)
            self._background = None

    def _stored(self, connection: Connection, texts: dict[str, bytes]) -> dict[str, bytes]:
        known = {}
        for text, digest in texts.items():
            found = connection.execute(
                "SELECT vector FROM items WHERE hash = ? AND embedder = ? LIMIT 1",
                (digest, self.embedder),
            ).fetchone()
            if found is not None:
                known[text] = self._backend.packed(found[0])
        return known

    def _count_pending(self, connection: Connection) -> int:
        found = connection.execute(f"SELECT count(*) FROM items WHERE {_PENDING}", (self.embedder,))
        return int(found.fetchone()[0])

    def _pending(self, after: int, connection: Connection) -> list[tuple[int, str]]:
        found = connection.execute(
            "SELECT row, kind, text, content FROM items "
            f"WHERE row > ? AND {_PENDING} ORDER BY row LIMIT ?",
            (after, self.embedder, _BATCH),
        )
        return [(row, text_to_embed(kind, text, content)) for row, kind, text, content in found]

    def _replace(self, pairs: Sequence[tuple[bytes, int]], connection: Connection) -> None:
        changed = next_change(connection)
        mark = self._backend.marks.get("vector", "?")
        connection.executemany(
            f"UPDATE items SET vector = {mark}, embedder = ?, changed = ? WHERE row = ?",
            [(self._backend.vector(vector), self.embedder, changed, row) for vector, row in pairs],
        )


def other_embedders(connection: Connection, embedder: str) -> list[str]:
    """Return the ids of other embedders that vectors of current items are from."""
    found: list[str] = []
    for comparison in ("<", ">"):
        row = connection.execute(
            "SELECT embedder FROM items WHERE valid_until IS NULL AND embedder IS NOT NULL "
            f"AND embedder {comparison} ? LIMIT 1",
            (embedder,),
        ).fetchone()
        if row is not None:
            found.append(str(row[0]))
    return found
