"""Former path of the reader of single chunks; clients read whole streams by `ChatResponse`."""

from __future__ import annotations

from typing import Any

import msgspec

from ferrogen.exceptions import ModelResponseError

__all__ = ["read_chunk"]


def read_chunk(data: bytes) -> dict[str, Any]:
    """Read one chunk of a chat completion, or a whole one.

    Args:
        data: JSON, as a service has sent it.

    Returns:
        Its fields.

    Raises:
        ModelResponseError: It is not a JSON object.
    """
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        shown = data[:200].decode("utf-8", "replace")
        raise ModelResponseError(
            f"not a chunk of a chat completion ({error}): {shown!r}"
        ) from error
