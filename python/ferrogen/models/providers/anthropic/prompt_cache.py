"""Cache marks in a request.

A mark covers everything before it, in the order tools, system, messages. One stands behind what
never changes, and one at the end, so that the next request finds all of this one.
"""

from __future__ import annotations

from typing import Any, Literal

PromptCache = Literal["5m", "1h"]
"""How long the service remembers."""

# Of these the API wants no mark.
_UNMARKED = ("thinking", "redacted_thinking")


def mark_for_cache(body: dict[str, Any], lifetime: PromptCache) -> None:
    """Mark a request, whose system is a list of blocks, in place."""
    mark = {"type": "ephemeral"} if lifetime == "5m" else {"type": "ephemeral", "ttl": lifetime}
    for part in ("system", "tools"):
        if body.get(part):
            _mark_last(body[part], mark)
            break
    _mark_last(body["messages"][-1]["content"], mark)


def _mark_last(blocks: list[dict[str, Any]], mark: dict[str, str]) -> None:
    for number in reversed(range(len(blocks))):
        if blocks[number].get("type") not in _UNMARKED:
            blocks[number] = {**blocks[number], "cache_control": mark}
            return
