"""Memories of agents."""

from ferrogen.memory import filters
from ferrogen.memory.content import MemoryContent
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
from ferrogen.memory.list_memory import ListMemory
from ferrogen.memory.memory import Memory
from ferrogen.memory.mime_types import MemoryMimeType
from ferrogen.memory.results import MemoryQueryResult, UpdateContextResult
from ferrogen.memory.retention import Deduplication, Quota
from ferrogen.memory.search import SearchOptions, SearchResult
from ferrogen.memory.sqlite.embedding import ReembeddingProgress
from ferrogen.memory.sqlite.maintenance import MemoryStats
from ferrogen.memory.sqlite.memory import SqliteMemory

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
    "Quota",
    "ReembeddingProgress",
    "Scope",
    "SearchOptions",
    "SearchResult",
    "SqliteMemory",
    "UpdateContextResult",
    "filters",
]
