"""Rules for what a memory keeps: duplicates and quotas."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ferrogen.exceptions import MemoryContentError

QuotaPolicy: TypeAlias = Literal["reject", "evict_oldest", "evict_least_important"]
QuotaLevel: TypeAlias = Literal["memory", "user", "agent", "conversation"]

_POLICIES = ("reject", "evict_oldest", "evict_least_important")
_LEVELS = ("memory", "user", "agent", "conversation")


@dataclass(frozen=True, kw_only=True)
class Quota:
    """How much a memory keeps, and which items it evicts for new ones.

    Evicted items are erased with all their versions. Those of the same call are never evicted.

    Args:
        max_items: The most current items.
        max_bytes: The most bytes of content, metadata and vectors, of all versions.
        policy: ``"reject"`` raises a `MemoryQuotaError`; the others evict items: the oldest, or
            the least important, and of those the oldest.
        per: The scope of the limits: each user, agent or conversation, or the whole memory.

    Raises:
        MemoryContentError: An argument is invalid.

    Example:
        ```python
        from ferrogen.memory import Quota

        quota = Quota(max_items=10_000, policy="evict_least_important")
        assert quota.per == "user"
        ```
    """

    max_items: int | None = None
    max_bytes: int | None = None
    policy: QuotaPolicy = "evict_oldest"
    per: QuotaLevel = "user"

    def __post_init__(self) -> None:
        if self.max_items is None and self.max_bytes is None:
            raise MemoryContentError("a quota needs max_items or max_bytes")
        for name in ("max_items", "max_bytes"):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not value >= 1):
                raise MemoryContentError(f"{name} of a quota is at least 1, not {value!r}")
        if self.policy not in _POLICIES or self.per not in _LEVELS:
            raise MemoryContentError(
                f"the policy of a quota is one of {', '.join(_POLICIES)}, and it is per "
                f"{', '.join(_LEVELS)}; not {self.policy!r} per {self.per!r}"
            )


@dataclass(frozen=True, kw_only=True)
class Deduplication:
    """Which new items are not stored, because the namespace has an equal one.

    Args:
        exact: Whether items with the same content are duplicates.
        near: The cosine from which items with similar vectors are duplicates, such as 0.97;
            needs an embedder. By default similar items are kept.

    Raises:
        MemoryContentError: The cosine is not from 0 to 1.

    Example:
        ```python
        from ferrogen.memory import Deduplication

        assert Deduplication(near=0.97).exact
        ```
    """

    exact: bool = True
    near: float | None = None

    def __post_init__(self) -> None:
        if self.near is not None and not 0 < self.near <= 1:
            raise MemoryContentError(f"near is a cosine from 0 to 1, not {self.near!r}")
