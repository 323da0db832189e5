"""Events that are logged for every message, and so leave their facts until somebody asks (B2)."""

from __future__ import annotations

import json
from json.encoder import encode_basestring_ascii
from typing import Any, ClassVar, cast

__all__ = ["LateEvent", "as_json", "quoted"]


class _LateFacts:
    """``kwargs`` of an event: made when it is first read, an ordinary dict from then on."""

    def __get__(self, event: LateEvent | None, owner: type[LateEvent]) -> Any:
        if event is None:
            return self
        known = vars(event)
        given = known.get("_given")
        if given is None:
            return known["kwargs"]  # another thread has just made them
        facts = known["kwargs"] = event._make_facts(given)
        known.pop("_given", None)
        return facts


class LateEvent:
    """An event whose facts become text when its text or ``kwargs`` are asked for."""

    _become_text: ClassVar[tuple[str, ...]]
    """Names of the facts that are shown as text."""

    _given: dict[str, Any]
    """The facts as they were given. A payload may be a function that makes its text."""

    kwargs = cast("dict[str, Any]", _LateFacts())

    def fact(self, name: str) -> Any:
        """Give one of the facts in `kwargs` without making the others.

        Args:
            name: The name of the fact.

        Returns:
            The fact, as `kwargs` has it.

        Raises:
            KeyError: When the event has no such fact.
        """
        given = vars(self).get("_given")
        if given is None or name == "payload":
            return self.kwargs[name]
        return self._as_text(name, given[name])

    def __str__(self) -> str:
        return as_json(self.kwargs)

    def __getstate__(self) -> dict[str, Any]:
        # Pickles and copies hold the facts, not what these are made from.
        facts = self.kwargs
        return {**vars(self), "kwargs": facts}

    def _make_facts(self, given: dict[str, Any]) -> dict[str, Any]:
        if "payload" in given:
            self._settle_payload(given)
        return {name: self._as_text(name, value) for name, value in given.items()}

    def _as_text(self, name: str, value: Any) -> Any:
        return str(value) if name in self._become_text and value is not None else value

    @staticmethod
    def _settle_payload(given: dict[str, Any]) -> Any:
        """Make the text of the payload, which is kept in place of the message."""
        payload = given["payload"]
        if callable(payload):
            payload = given["payload"] = payload()
        return payload


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
        # Keys that are no strings, or a value that contains itself: default= is not asked there.
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
