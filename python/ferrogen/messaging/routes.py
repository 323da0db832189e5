"""The compiled part of the subscriptions; the stub beside this file documents it."""

from __future__ import annotations

from ferrogen._core import Routes

__all__ = ["Routes"]
