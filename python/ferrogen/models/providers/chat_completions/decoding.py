"""Decoding of what a service with the chat completions API sends."""

from __future__ import annotations

from typing import Any

import msgspec

from ferrogen.exceptions import ModelResponseError


def read_chunk(data: bytes) -> Any:
    """Decode a response or an event; services leave out fields, and write others.

    Raises:
        ModelResponseError: It is not JSON.
    """
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(data, str(error)) from error


def unreadable(data: bytes, reason: str) -> ModelResponseError:
    """Make the error for a response that cannot be read."""
    shown = data[:200].decode("utf-8", "replace")
    return ModelResponseError(
        f"the service sent something other than a chat completion ({reason}): {shown!r}"
    )
