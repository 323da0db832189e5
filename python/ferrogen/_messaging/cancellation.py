"""Cancellation tokens, made in Rust: each message has one, as soon as somebody asks for it."""

from ferrogen._core import CancellationToken

__all__ = ["CancellationToken"]
