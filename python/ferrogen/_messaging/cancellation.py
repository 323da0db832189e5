"""Cancellation tokens, which are made in Rust: one is made for each message that is asked for it."""

from ferrogen._core import CancellationToken

__all__ = ["CancellationToken"]
