"""The messages that agents exchange."""

from dataclasses import dataclass


@dataclass
class Question:
    """A question of a user."""

    text: str


@dataclass
class Answer:
    """The answer of the assistant."""

    text: str
