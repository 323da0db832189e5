"""Words of texts, for full-text search."""

from __future__ import annotations

import unicodedata

# Scripts without spaces between words: each character is searched as a word.
_DENSE = (
    (0x0E00, 0x0EFF),
    (0x1000, 0x109F),
    (0x1780, 0x17FF),
    (0x3040, 0x30FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3134F),
)
_MOST_WORDS = 64
_LONGEST_QUERY = 1_000_000


def with_spaces(text: str) -> str:
    """Return a text with spaces around the characters of scripts that use none."""
    if text.isascii() or not any(map(_is_dense, text)):
        return text
    spaced = "".join(f" {one} " if _is_dense(one) else one for one in text)
    return " ".join(spaced.split())


def words(text: str) -> list[str]:
    """Return the words of a text: runs of letters, digits and the marks that belong to them."""
    found: list[str] = []
    current: list[str] = []
    for one in with_spaces(text):
        if unicodedata.category(one)[0] in "LNM" or unicodedata.category(one) == "Co":
            current.append(one)
        elif current:
            found.append("".join(current))
            current = []
    if current:
        found.append("".join(current))
    return found


def query_words(query: str) -> list[str]:
    """Return the words of a query, each once; of a long one those that occur most often."""
    counts: dict[str, int] = {}
    for word in words(query[:_LONGEST_QUERY].lower()):
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts, key=lambda word: -counts[word])[:_MOST_WORDS]


def _is_dense(one: str) -> bool:
    code = ord(one)
    return code >= _DENSE[0][0] and any(low <= code <= high for low, high in _DENSE)
