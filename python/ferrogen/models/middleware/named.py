"""Limiters and budgets that clients share by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from ferrogen.exceptions import ClientSetupError


class Limited(Protocol):
    """An object with a name, and limits that can be compared."""

    name: str | None

    def limits(self) -> dict[str, float | None]:
        """Return the limits by their names."""


T = TypeVar("T", bound=Limited)


class Names(Generic[T]):
    """The named objects of this process, as long as they are referenced."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._things: WeakValueDictionary[str, T] = WeakValueDictionary()

    def find(self, name: str, make: Callable[[], T]) -> T:
        """Give the thing of this name.

        Args:
            name: Its name.
            make: Makes it if there is none. It is called in any case, to compare the limits.

        Raises:
            ClientSetupError: There is one of this name with other limits.
        """
        new = make()
        thing = self._things.setdefault(name, new)
        if thing.limits() != new.limits():
            raise ClientSetupError(
                f"there is a {self._kind} {name!r} already, with {thing.limits()}; use another "
                f"name, or these limits instead of {new.limits()}"
            )
        thing.name = name
        return thing
