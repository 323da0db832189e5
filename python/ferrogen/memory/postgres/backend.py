"""PostgreSQL as the database of a memory: text by tsvector, vectors by pgvector."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import Any

from ferrogen.exceptions import EmbedderMismatchError
from ferrogen.memory.filters import Comparison, Filter
from ferrogen.memory.items import Scope
from ferrogen.memory.postgres.schema import WORDS
from ferrogen.memory.retention import Deduplication
from ferrogen.memory.search import Search
from ferrogen.memory.sql.backend import Backend, Connection, Database
from ferrogen.memory.sql.conditions import Condition, compared, compile_filter, marks
from ferrogen.memory.sql.encoding import EncodedContent
from ferrogen.memory.sql.retention import DuplicateFinder
from ferrogen.memory.sql.retrieval import Retrieval
from ferrogen.memory.sql.writing import IN_SAME_SCOPE, PreparedItem, scope_columns
from ferrogen.memory.vectors import numerics
from ferrogen.memory.words import query_words, with_spaces, words

_ORDER = {"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def in_jsonb(comparison: Comparison) -> Condition:
    """Turn a comparison with a value in the metadata into a condition.

    Each key is a parameter of ``->``, which finds keys of objects and no places in lists.
    """
    keys = comparison.field.path
    value = "items.attributes" + " -> CAST(? AS TEXT)" * len(keys)
    if comparison.operator == "exists":
        return Condition(f"({value}) IS NOT NULL", keys)
    if comparison.operator == "contains":
        test, parameters = _typed("one.value", "==", comparison.value)
        elements = (
            "jsonb_array_elements(CASE WHEN jsonb_typeof(found.value) = 'array' "
            "THEN found.value END) AS one"
        )
        test = f"EXISTS (SELECT 1 FROM {elements} WHERE {test})"
    elif comparison.operator == "in":
        test, parameters = _one_of(comparison.value)
    else:
        test, parameters = _typed("found.value", comparison.operator, comparison.value)
    sql = f"EXISTS (SELECT 1 FROM (SELECT {value} AS value) AS found WHERE {test})"
    return Condition(sql, (*keys, *parameters))


def _typed(value: str, operator: str, compared_with: Any) -> tuple[str, tuple[Any, ...]]:
    """Compare a JSON value with one of the same type."""
    if compared_with is None:
        return f"jsonb_typeof({value}) = 'null'", ()
    if isinstance(compared_with, bool):
        return f"{value} = CAST('{'true' if compared_with else 'false'}' AS JSONB)", ()
    if isinstance(compared_with, str):
        return compared(_text(value), operator, compared_with)
    return f"{_number(value)} {_ORDER[operator]} CAST(? AS NUMERIC)", (_decimal(compared_with),)


def _one_of(values: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    texts = tuple(one for one in values if isinstance(one, str))
    numbers = tuple(
        _decimal(one)
        for one in values
        if isinstance(one, (int, float)) and not isinstance(one, bool)
    )
    tests = [
        _typed("found.value", "==", special)[0]
        for special in (True, False, None)
        if any(each is special for each in values)
    ]
    if texts:
        tests.append(f"{_text('found.value')} IN ({marks(texts)})")
    if numbers:
        listed = ", ".join(["CAST(? AS NUMERIC)"] * len(numbers))
        tests.append(f"{_number('found.value')} IN ({listed})")
    return f"({' OR '.join(tests) or 'FALSE'})", texts + numbers


def _text(value: str) -> str:
    """Return the text of a JSON string, else NULL; ordered by code points."""
    text = f"CASE WHEN jsonb_typeof({value}) = 'string' THEN {value} #>> '{{}}' END"
    return f'(({text}) COLLATE "C")'


def _number(value: str) -> str:
    """Return the value of a JSON number, else NULL."""
    number = f"CAST({value} #>> '{{}}' AS NUMERIC)"
    return f"(CASE WHEN jsonb_typeof({value}) = 'number' THEN {number} END)"


def _decimal(number: float) -> str:
    """Return a number in digits: a float as a parameter would be rounded to 15 of them."""
    return repr(int(number) if isinstance(number, int) else float(number))


# A tsvector has at most a megabyte.
_MOST_CHARACTERS = 100_000
_DIACRITICS = range(0x300, 0x370)


class PostgresBackend(Backend):
    """A schema in PostgreSQL."""

    marks = {"words": f"to_tsvector('{WORDS}', ?)", "vector": "CAST(? AS VECTOR)"}  # noqa: RUF012
    size = (
        "octet_length(content) + coalesce(octet_length(metadata), 0) "
        "+ CASE kind WHEN 'text' THEN 0 ELSE octet_length(text) END "
        "+ coalesce(4 * vector_dims(vector), 0)"
    )

    def __init__(self, database: Database, embedder: str | None) -> None:
        super().__init__(database, embedder)
        from psycopg import errors  # which the database has imported

        self.conflict = errors.UniqueViolation
        self.data_error = errors.DataException

    def compile(self, where: Filter | None) -> Condition:
        """Turn a filter into a condition."""
        return compile_filter(where, in_jsonb)

    def columns(self, encoded: EncodedContent) -> dict[str, Any]:
        """Return the columns of a content; text of PostgreSQL has no NUL, so content is bytes."""
        content = encoded.content
        return {
            "kind": encoded.kind,
            "mime_type": encoded.mime_type,
            "metadata": encoded.metadata,
            "text": with_spaces(encoded.text).replace("\0", " "),
            "content": content if isinstance(content, bytes) else content.encode(),
            "hash": encoded.hash,
            "words": folded(encoded.text[:_MOST_CHARACTERS]),
        }

    def vector(self, packed: bytes) -> str:
        """Return a packed vector as a parameter."""
        return str(numerics().frombuffer(packed, "<f4").tolist())

    def packed(self, vector: str) -> bytes:
        """Return a vector of a row, packed."""
        return bytes(numerics().array(json.loads(vector), "<f4").tobytes())

    def retrieval(
        self, connection: Connection, search: Search, scope: Scope, now: float, query: bytes | None
    ) -> Retrieval:
        """Return a search inside a transaction."""
        return PostgresRetrieval(connection, self, search, scope, now, query)

    def duplicates(self, rules: Deduplication | None, now: float) -> DuplicateFinder:
        """Return what finds duplicates of new items."""
        return PostgresDuplicateFinder(self, rules, now)

    def before_commit(self, connection: Connection) -> None:
        """Complete a transaction: there is nothing to do."""

    def nearest(
        self, connection: Connection, query: bytes, condition: Condition, limit: int
    ) -> list[tuple[int, float]]:
        """Return the rows that fulfill a condition with the nearest vectors, and cosines.

        Vectors have length 1, or are zero, so their inner product is the cosine.

        Raises:
            EmbedderMismatchError: The query has another length than the vectors.
        """
        size = len(query) // 4
        distance = f"(items.vector::VECTOR({size}) <#> CAST(? AS VECTOR({size})))"
        asked = self.vector(query)
        try:
            found = connection.execute(
                f"SELECT items.row, -{distance} FROM items WHERE items.embedder = ? "
                f"AND {condition.sql} ORDER BY {distance} LIMIT ?",
                (asked, self.embedder, *condition.parameters, asked, limit),
            ).fetchall()
        except self.data_error as error:
            raise EmbedderMismatchError(
                f"{self.embedder} has returned a vector of length {size}, and stored ones have "
                "another one: give the embedder an id that names the dimensions, and embed again",
                stored=[str(self.embedder)],
            ) from error
        ranked = [(int(row), float(cosine)) for row, cosine in found]
        return sorted(ranked, key=lambda one: (-one[1], -one[0]))


class PostgresRetrieval(Retrieval):
    """A search by PostgreSQL alone."""

    backend: PostgresBackend

    def _by_text(self, depth: int) -> list[tuple[int, float]]:
        asked = " | ".join(folded(" ".join(query_words(self.search.text))).split())
        if not asked:
            return []
        # Without the commonest words of English, unless there are no others.
        (query,) = self.connection.execute(
            "SELECT CAST(to_tsquery('pg_catalog.english', ?) AS TEXT)", (asked,)
        ).fetchone()
        if not query:
            (query,) = self.connection.execute(
                f"SELECT CAST(to_tsquery('{WORDS}', ?) AS TEXT)", (asked,)
            ).fetchone()
        condition = self.condition
        found = self.connection.execute(
            "SELECT items.row, ts_rank_cd(items.words, CAST(? AS TSQUERY), 1) AS score FROM items "
            f"WHERE items.words @@ CAST(? AS TSQUERY) AND {condition.sql} "
            "ORDER BY score DESC, items.row DESC LIMIT ?",
            (query, query, *condition.parameters, depth),
        ).fetchall()
        return [(int(row), float(score)) for row, score in found]

    def _nearest(self, query: bytes, depth: int) -> list[tuple[int, float]]:
        return self.backend.nearest(self.connection, query, self.condition, depth)


class PostgresDuplicateFinder(DuplicateFinder):
    """Searches similar items inside the transaction, which waits for others that write."""

    _backend: PostgresBackend

    async def prepare(self, prepared: Sequence[PreparedItem]) -> None:
        """Do nothing before the transaction."""

    def _similar(
        self, connection: Connection, each: PreparedItem, vector: bytes, least: float
    ) -> str | None:
        condition = Condition(
            f"valid_until IS NULL AND {IN_SAME_SCOPE} AND (expires_at IS NULL OR expires_at > ?)",
            (*scope_columns(each.scope), self._now),
        )
        found = self._backend.nearest(connection, vector, condition, 1)
        if not found or found[0][1] < least:
            return None
        (identity,) = connection.execute(
            "SELECT id FROM items WHERE row = ?", (found[0][0],)
        ).fetchone()
        return str(identity)


def folded(text: str) -> str:
    """Return the words of a text in lower case and without diacritics, with spaces between."""
    plain = unicodedata.normalize("NFKD", text.lower())
    kept = "".join(one for one in plain if ord(one) not in _DIACRITICS)
    return " ".join(words(unicodedata.normalize("NFC", kept)))
