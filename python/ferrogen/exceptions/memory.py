"""Exceptions of memories and embedders."""

from __future__ import annotations

from collections.abc import Sequence

from .base import FerrogenError


class MemoryStoreError(FerrogenError, RuntimeError):
    """The file of a memory cannot be read or written, or is not one; or the memory is closed."""


class MemoryBusyError(MemoryStoreError, TimeoutError):
    """Another process has locked the file of a memory for longer than the busy timeout."""


class MemoryContentError(FerrogenError, ValueError):
    """A content, its metadata or its provenance cannot be stored. Nothing was written."""


class MemoryQueryError(FerrogenError, ValueError):
    """A search or a filter has invalid or contradictory arguments."""


class MemoryScopeError(FerrogenError, ValueError):
    """A namespace is invalid, or lies outside the one that a memory is limited to."""


class MemoryQuotaError(FerrogenError, RuntimeError):
    """The quota of a namespace does not permit another item. Nothing was written."""


class EmbedderError(FerrogenError, RuntimeError):
    """An embedder gave too few vectors, or vectors that cannot be compared with others."""


class EmbedderMismatchError(EmbedderError):
    """The stored vectors were computed by another embedder, and cannot be compared with new ones.

    Args:
        message: The text of the error.
        stored: The ids of the embedders of the stored vectors.
    """

    def __init__(self, message: str, *, stored: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.stored = tuple(stored)
