"""What a serializer of Ferrogen's has its work done by."""

from __future__ import annotations

from typing import Any, Protocol


class Codec(Protocol):
    """Reads and writes one message class."""

    def encode(self, message: Any) -> bytes:
        """Write a message, or raise `SerializationError`."""
        ...

    def decode(self, payload: bytes) -> Any:
        """Read a message, or raise `SerializationError`."""
        ...
