"""Former path of the decoder of chat completions."""

from ferrogen.models.providers.chat_completions.decoding import read_chunk

__all__ = ["read_chunk"]
