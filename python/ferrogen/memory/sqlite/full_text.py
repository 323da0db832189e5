"""Full-text search: queries of users as phrases of FTS5, ranked by BM25."""

from __future__ import annotations

from collections.abc import Sequence

from ferrogen.memory.sql.backend import Connection
from ferrogen.memory.sql.conditions import Condition, marks
from ferrogen.memory.words import query_words

_AT_ONCE = 500


def match_expression(query: str) -> str | None:
    """Return a query of FTS5 for any of the words of a text; None if it has no words.

    Each word is a quoted string, so nothing in a text is syntax of FTS5.
    """
    return " OR ".join(f'"{word}"' for word in query_words(query)) or None


def text_ranking(
    connection: Connection, query: str, condition: Condition, limit: int
) -> list[tuple[int, float]]:
    """Return rows and their BM25 scores, the best first; all fulfill the condition."""
    expression = match_expression(query)
    if expression is None:
        return []
    # The best ones of all first: mostly enough of them fulfill the condition, and the rows of the
    # others, which are the larger part of the file, are not read.
    for count in (4 * limit + 100, 64 * limit + 100):
        best = connection.execute(
            "SELECT rowid, -bm25(items_text) AS score FROM items_text WHERE items_text MATCH ? "
            "ORDER BY score DESC, rowid DESC LIMIT ?",
            (expression, count),
        ).fetchall()
        fulfilling = fulfilling_rows(connection, condition, [row for row, _ in best])
        found = [(int(row), float(score)) for row, score in best if row in fulfilling]
        if len(found) >= limit or len(best) < count:
            return found[:limit]
    ranked = connection.execute(
        "SELECT items.row, -bm25(items_text) AS score FROM items_text "
        "JOIN items ON items.row = items_text.rowid "
        f"WHERE items_text MATCH ? AND {condition.sql} "
        "ORDER BY score DESC, items.row DESC LIMIT ?",
        (expression, *condition.parameters, limit),
    )
    return [(int(row), float(score)) for row, score in ranked]


def fulfilling_rows(connection: Connection, condition: Condition, rows: Sequence[int]) -> set[int]:
    """Return which of some rows fulfill a condition."""
    found: set[int] = set()
    for start in range(0, len(rows), _AT_ONCE):
        some = rows[start : start + _AT_ONCE]
        selected = connection.execute(
            f"SELECT row FROM items WHERE row IN ({marks(tuple(some))}) AND {condition.sql}",
            (*some, *condition.parameters),
        )
        found.update(row for (row,) in selected)
    return found
