"""Memories of agents."""

from ferrogen.memory.content import MemoryContent
from ferrogen.memory.list_memory import ListMemory
from ferrogen.memory.memory import Memory
from ferrogen.memory.mime_types import MemoryMimeType
from ferrogen.memory.results import MemoryQueryResult, UpdateContextResult

__all__ = [
    "ListMemory",
    "Memory",
    "MemoryContent",
    "MemoryMimeType",
    "MemoryQueryResult",
    "UpdateContextResult",
]
