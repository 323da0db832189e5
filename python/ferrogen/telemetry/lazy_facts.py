"""Base classes of the events in `ferrogen.logging`, and facts that are made when first read.

Events are logged for every message, and most of them are never shown (B2).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any

__all__ = ["Event", "LazyEvent", "LazyFacts", "as_json", "lazy_text", "quoted", "resolve"]


class LazyFacts:
    """``kwargs`` of an event: made when first read, from ``_given``; an ordinary dict from then on.

    Args:
        *shown: Names of the facts that are shown as text.
    """

    def __init__(self, *shown: str) -> None:
        self._shown = frozenset(shown)

    def __get__(self, event: Any, owner: type[Any]) -> Any:
        if event is None:
            return self
        known = vars(event)
        given = known.get("_given")
        if given is None:
            return known["kwargs"]  # another thread has just made them
        facts = known["kwargs"] = {name: self.show(name, given) for name in given}
        known.pop("_given", None)
        return facts

    def show(self, name: str, given: dict[str, Any]) -> Any:
        """Make one fact from the arguments."""
        value = resolve(name, given)
        return str(value) if name in self._shown and value is not None else value


class Event:
    """Base class of the events: facts, shown as one line of JSON."""

    kwargs: Any
    """The facts, a dict."""

    def __str__(self) -> str:
        return as_json(self.kwargs)


class LazyEvent(Event):
    """Base class of the events of messages: ``kwargs`` is made when first read, from ``_given``."""

    kwargs: Any = LazyFacts()
    _given: dict[str, Any]

    def fact(self, name: str) -> Any:
        """Return one of the facts in `kwargs` without making the others.

        Args:
            name: The name of the fact.

        Returns:
            The fact, as `kwargs` has it.

        Raises:
            KeyError: When the event has no such fact.
        """
        given = vars(self).get("_given")
        return self.kwargs[name] if given is None else type(self).kwargs.show(name, given)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle and copy the facts, not what they are made from."""
        facts = self.kwargs
        return {**vars(self), "kwargs": facts}


class _LazyText:
    __slots__ = ("_make", "_of")

    def __init__(self, make: Callable[[Any], str], of: Any) -> None:
        self._make = make
        self._of = of

    def __call__(self) -> str:
        return self._make(self._of)


def lazy_text(make: Callable[[Any], str], of: Any) -> str:
    """Return a placeholder for the text of a message; the text is made when an event needs it.

    Args:
        make: Makes the text.
        of: The message.

    Returns:
        The placeholder, which an event takes in place of the text.
    """
    return _LazyText(make, of)  # type: ignore[return-value]  # a cast would cost a call


def resolve(name: str, given: dict[str, Any]) -> Any:
    """Return the value of a fact; lazy text is made now, and replaces its message.

    Args:
        name: The name of the fact.
        given: The arguments of an event.

    Returns:
        The value.
    """
    value = given[name]
    if type(value) is _LazyText:
        value = given[name] = value()
    return value


def as_json(facts: dict[str, Any]) -> str:
    """Render facts as one line of JSON.

    Args:
        facts: The facts. What JSON cannot hold becomes text, so that logging never fails on it.

    Returns:
        The JSON.
    """
    try:
        return _encode(facts)
    except (TypeError, ValueError):
        # Keys that are not strings, or a value that contains itself: default= is not called.
        return json.dumps({str(key): str(value) for key, value in facts.items()})


def quoted(value: object) -> str:
    """Render one fact that is shown as text.

    Args:
        value: The fact, or None.

    Returns:
        JSON: a string, or null.
    """
    return "null" if value is None else encode_basestring_ascii(str(value))


_encode = json.JSONEncoder(default=str).encode
