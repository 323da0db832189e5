"""Stores of values under keys, as components."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component, ComponentBase

T = TypeVar("T")


class CacheStore(ABC, Generic[T], ComponentBase[BaseModel]):
    """A place for values under text keys; who implements it cares for what lies beneath.

    Example:
        ```python
        from ferrogen import CacheStore, InMemoryStore


        def visits(store: CacheStore[int], name: str) -> int:
            count = (store.get(name) or 0) + 1
            store.set(name, count)
            return count


        store: CacheStore[int] = InMemoryStore()
        assert [visits(store, "ada"), visits(store, "ada")] == [1, 2]
        ```
    """

    component_type = "cache_store"

    @abstractmethod
    def get(self, key: str, default: T | None = None) -> T | None:
        """Return the value under a key, or the default if there is none."""

    @abstractmethod
    def set(self, key: str, value: T) -> None:
        """Store a value under a key, in place of any earlier one."""


class InMemoryStoreConfig(BaseModel):
    """The config of an `InMemoryStore`: there is nothing to choose."""


class InMemoryStore(CacheStore[T], Component[InMemoryStoreConfig]):
    """A store in a dict; it ends with the process, and its values are not part of its config.

    Example:
        ```python
        from ferrogen import InMemoryStore

        store = InMemoryStore[str]()
        store.set("colour", "red")
        assert store.get("colour") == "red"
        assert store.get("shape", "round") == "round"
        ```
    """

    component_provider_override = "autogen_core.InMemoryStore"
    component_config_schema = InMemoryStoreConfig

    def __init__(self) -> None:
        self.store: dict[str, T] = {}

    def get(self, key: str, default: T | None = None) -> T | None:
        """Return the value under a key, or the default if there is none."""
        return self.store.get(key, default)

    def set(self, key: str, value: T) -> None:
        """Store a value under a key, in place of any earlier one."""
        self.store[key] = value

    def _to_config(self) -> InMemoryStoreConfig:
        return InMemoryStoreConfig()

    @classmethod
    def _from_config(cls, config: InMemoryStoreConfig) -> Self:
        return cls()
