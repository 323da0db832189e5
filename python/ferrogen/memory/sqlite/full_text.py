"""Full-text search: queries of users as phrases of FTS5, ranked by BM25."""

from __future__ import annotations

from ferrogen.memory.sqlite.backend import Connection
from ferrogen.memory.sqlite.conditions import Condition
from ferrogen.memory.sqlite.encoding import words

_MOST_WORDS = 64
_LONGEST_QUERY = 1_000_000


def match_expression(query: str) -> str | None:
    """Return a query of FTS5 for any of the words of a text; None if it has no words.

    Each word is a quoted string, so nothing in a text is syntax of FTS5. Of a long text, the
    words that occur most often are searched.
    """
    return " OR ".join(f'"{word}"' for word in _chosen_words(query)) or None


def text_query(query: str) -> str:
    """Return the words of a text that are searched, with spaces between them."""
    return " ".join(_chosen_words(query))


def _chosen_words(query: str) -> list[str]:
    counts: dict[str, int] = {}
    for word in words(query[:_LONGEST_QUERY].lower()):
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: -counts[word])[:_MOST_WORDS]


def text_ranking(
    connection: Connection, query: str, condition: Condition, limit: int
) -> list[tuple[int, float]]:
    """Return rows and their BM25 scores, the best first; all fulfill the condition."""
    expression = match_expression(query)
    if expression is None:
        return []
    found = connection.execute(
        "SELECT items.row, -bm25(items_text) AS score FROM items_text "
        "JOIN items ON items.row = items_text.rowid "
        f"WHERE items_text MATCH ? AND {condition.sql} "
        "ORDER BY score DESC, items.row DESC LIMIT ?",
        (expression, *condition.parameters, limit),
    )
    return [(int(row), float(score)) for row, score in found]
