"""Messages of these tests."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Question:
    text: str


@dataclass
class Reply:
    text: str
