"""The compiled part of the statistics; the stub beside this file documents it."""

from __future__ import annotations

from ferrogen._core import TimeHistogram

__all__ = ["TimeHistogram"]
