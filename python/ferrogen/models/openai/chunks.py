"""Former path of the decoder of chat completions."""

from ferrogen.models.providers.chat_completions.response import read_chunk

__all__ = ["read_chunk"]
