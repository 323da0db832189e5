"""What services send, in as few words as it takes."""

from __future__ import annotations

from typing import Any

from ferrogen.models import CreateResult, UserMessage
from ferrogen.models.openai import OpenAIChatCompletionClient

HELLO = [UserMessage(content="hello", source="me")]
USAGE = {"prompt_tokens": 9, "completion_tokens": 4}


def whole(content: str | None = None, reason: str = "stop", **message: Any) -> dict[str, Any]:
    """A response in one piece."""
    return {
        "model": "gpt-4o-2024-08-06",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": content, **message},
                "finish_reason": reason,
            }
        ],
        "usage": USAGE,
    }


def piece(content: str | None = None, reason: str | None = None, **delta: Any) -> dict[str, Any]:
    """A piece of a response."""
    if content is not None:
        delta["content"] = content
    return {
        "model": "gpt-4o-2024-08-06",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }


def call_piece(index: int | None, **call: Any) -> dict[str, Any]:
    """A piece of a call: ``id``, ``name``, ``arguments``."""
    function = {name: call[name] for name in ("name", "arguments") if name in call}
    wire = {"index": index, "id": call.get("id"), "function": function}
    return piece(tool_calls=[{name: value for name, value in wire.items() if value is not None}])


USAGE_CHUNK = {"choices": [], "usage": USAGE}


async def streamed(
    client: OpenAIChatCompletionClient, **options: Any
) -> tuple[list[str], CreateResult]:
    """Ask for a stream, and part its pieces from its result."""
    items = [item async for item in client.create_stream(HELLO, **options)]
    *pieces, result = items
    assert isinstance(result, CreateResult)
    assert all(isinstance(item, str) for item in pieces)
    return [str(item) for item in pieces], result
