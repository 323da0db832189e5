"""The ``thinking`` parameter of a request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_THOUGHTS = ("thinking", "redacted_thinking")


def thinks(body: Mapping[str, Any]) -> bool:
    """Return whether a request asks the model to think."""
    wish: Mapping[str, Any] = body.get("thinking") or {}
    return bool(wish.get("type", "disabled") != "disabled")


def keep_thinking_possible(body: dict[str, Any]) -> None:
    """Take the wish to think out of a request that the API would refuse because of it.

    A turn in progress, which is one whose tool results were just added, has to begin with a
    thought and its signature. There is none if the calls were made without thinking, or by
    another client, as in a handoff between agents.
    """
    wish: Mapping[str, Any] = body.get("thinking") or {}
    if wish.get("type") == "enabled" and _is_unsigned_turn(body["messages"]):
        del body["thinking"]


def _is_unsigned_turn(messages: Sequence[Mapping[str, Any]]) -> bool:
    if messages[-1]["role"] != "user" or messages[-1]["content"][0]["type"] != "tool_result":
        return False
    return messages[-2]["content"][0]["type"] not in _THOUGHTS
