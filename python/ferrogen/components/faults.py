"""Faults of a config, and the paths to nested components."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from ferrogen.components.model import ComponentModel

Place = tuple[str | int, ...]
"""The keys and indices that lead from the top of a config to a value."""

Change = Callable[[Place, Any], Any]


def spelled(place: Place) -> str:
    """Write a place as people read it, such as ``config.participants[0].provider``."""
    steps = (
        f".{step}" if isinstance(step, str) and step.isidentifier() else f"[{step!r}]"
        for step in place
    )
    return "".join(steps).removeprefix(".")


def is_component(value: object) -> bool:
    """Return whether a value is a component that was dumped."""
    if isinstance(value, ComponentModel):
        return True
    return isinstance(value, dict) and isinstance(value.get("provider"), str) and "config" in value


def values_in(config: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Go through all values in a config; nested components are values, and not gone into."""
    for step, value in _items(config):
        yield (*place, step), value
        if not is_component(value):
            yield from values_in(value, (*place, step))


def replaced(config: Any, change: Change, place: Place = (), *, deep: bool = False) -> Any:
    """Copy a config with other values in it.

    Args:
        config: The config, or a part of it.
        change: Gets the place and the value, and returns the value to have there. What it
            changes is not gone into.
        place: Where the part stands.
        deep: Go into nested components, too; else they stay as they are.
    """

    def copied(step: str | int, value: Any) -> Any:
        changed = change((*place, step), value)
        if changed is not value or (is_component(value) and not deep):
            return changed
        return replaced(value, change, (*place, step), deep=deep)

    copies = {step: copied(step, value) for step, value in _items(config)}
    if type(config) is dict:
        return copies
    return type(config)(copies.values()) if type(config) in (list, tuple) else config


def _items(value: Any) -> Iterator[tuple[Any, Any]]:
    if type(value) is dict:
        yield from value.items()
    elif type(value) in (list, tuple):
        yield from enumerate(value)


FaultKind = Literal["shape", "provider", "untrusted", "type", "version", "config", "secret"]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with the config of a component.

    Example:
        ```python
        from ferrogen.components import check_component

        [fault] = check_component({"provider": "autogen_core.NoSuchStore", "config": {}})
        assert (fault.place, fault.kind) == ("provider", "provider")
        ```
    """

    __module__ = "ferrogen.components"

    place: str
    """Where it is, such as ``config.participants[0].config.name``; empty for the whole."""

    kind: FaultKind
    """The kind: the ``shape`` of the whole (it is not a dumped component), the ``provider``
    (it does not lead to a component class), its namespace or code (``untrusted``), the ``type`` or
    the ``version`` of the component, its ``config``, or a ``secret``."""

    message: str
    """The fault, in words."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message
