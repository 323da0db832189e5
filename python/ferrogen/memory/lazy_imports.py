"""Public names of memory that `ferrogen.memory` imports when they are first used.

AgentChat imports `autogen_core.memory` for the names that upstream has. To add a name, name its
module here, import it in the part of `__init__.py` for type checkers, and list it there.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

LAZY_IMPORTS = {
    "BertEmbedder": "ferrogen.memory.embedders.bert",
    "Compaction": "ferrogen.memory.context.compaction",
    "ContextEntry": "ferrogen.memory.context.transcript",
    "ConversationSummary": "ferrogen.memory.context.transcript",
    "Deduplication": "ferrogen.memory.retention",
    "Embedder": "ferrogen.memory.embedders.embedder",
    "Extraction": "ferrogen.memory.extraction",
    "Fact": "ferrogen.memory.extraction",
    "FactExtractor": "ferrogen.memory.extraction",
    "HashingEmbedder": "ferrogen.memory.embedders.hashing",
    "LanceMemory": "ferrogen.memory.lance.memory",
    "MemoryContext": "ferrogen.memory.context.memory_context",
    "MemoryItem": "ferrogen.memory.items",
    "MemoryStats": "ferrogen.memory.sql.statistics",
    "Model2VecEmbedder": "ferrogen.memory.embedders.model2vec",
    "NewItem": "ferrogen.memory.items",
    "OpenAIEmbedder": "ferrogen.memory.embedders.openai",
    "PostgresMemory": "ferrogen.memory.postgres.memory",
    "Quota": "ferrogen.memory.retention",
    "ReembeddingProgress": "ferrogen.memory.sql.embedding",
    "Scope": "ferrogen.memory.items",
    "SearchOptions": "ferrogen.memory.search",
    "SearchResult": "ferrogen.memory.search",
    "SqliteMemory": "ferrogen.memory.sqlite.memory",
    "filters": "ferrogen.memory.filters",
}


def lazy_attribute(name: str) -> Any:
    """Serve as the module-level ``__getattr__`` of ``ferrogen.memory``.

    Raises:
        AttributeError: There is nothing of that name.
    """
    if name not in LAZY_IMPORTS:
        raise AttributeError(f"module 'ferrogen.memory' has no attribute {name!r}")
    module = import_module(LAZY_IMPORTS[name])
    found = module if name == "filters" else getattr(module, name)
    setattr(sys.modules["ferrogen.memory"], name, found)
    return found


def listed_names() -> list[str]:
    """Serve as the module-level ``__dir__`` of ``ferrogen.memory``."""
    return sorted({*vars(sys.modules["ferrogen.memory"]), *LAZY_IMPORTS})
