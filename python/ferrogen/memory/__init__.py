"""Memories of agents."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from ferrogen.memory.content import MemoryContent, MemoryMimeType
from ferrogen.memory.list_memory import ListMemory
from ferrogen.memory.memory import Memory, MemoryQueryResult, UpdateContextResult

if _TYPE_CHECKING:  # these are imported when they are first used
    from ferrogen.memory import filters
    from ferrogen.memory.context.compaction import Compaction
    from ferrogen.memory.context.memory_context import MemoryContext
    from ferrogen.memory.context.transcript import ContextEntry, ConversationSummary
    from ferrogen.memory.embedders.bert import BertEmbedder
    from ferrogen.memory.embedders.embedder import Embedder
    from ferrogen.memory.embedders.hashing import HashingEmbedder
    from ferrogen.memory.embedders.model2vec import Model2VecEmbedder
    from ferrogen.memory.embedders.openai import OpenAIEmbedder
    from ferrogen.memory.extraction import Extraction, Fact, FactExtractor
    from ferrogen.memory.items import MemoryItem, NewItem, Scope
    from ferrogen.memory.lance.memory import LanceMemory
    from ferrogen.memory.postgres.memory import PostgresMemory
    from ferrogen.memory.retention import Deduplication, Quota
    from ferrogen.memory.search import SearchOptions, SearchResult
    from ferrogen.memory.sql.embedding import ReembeddingProgress
    from ferrogen.memory.sql.statistics import MemoryStats
    from ferrogen.memory.sqlite.memory import SqliteMemory
else:  # a __getattr__ that type checkers see would let every name through
    from ferrogen.memory.lazy_imports import lazy_attribute as __getattr__  # noqa: F401 - Python calls it
    from ferrogen.memory.lazy_imports import listed_names as __dir__  # noqa: F401 - and this

__all__ = [
    "BertEmbedder",
    "Compaction",
    "ContextEntry",
    "ConversationSummary",
    "Deduplication",
    "Embedder",
    "Extraction",
    "Fact",
    "FactExtractor",
    "HashingEmbedder",
    "LanceMemory",
    "ListMemory",
    "Memory",
    "MemoryContent",
    "MemoryContext",
    "MemoryItem",
    "MemoryMimeType",
    "MemoryQueryResult",
    "MemoryStats",
    "Model2VecEmbedder",
    "NewItem",
    "OpenAIEmbedder",
    "PostgresMemory",
    "Quota",
    "ReembeddingProgress",
    "Scope",
    "SearchOptions",
    "SearchResult",
    "SqliteMemory",
    "UpdateContextResult",
    "filters",
]
