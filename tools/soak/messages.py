"""The messages and the errors of the soak program."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "FactoryError",
    "Flow",
    "HandlerError",
    "InterceptorError",
    "Job",
    "Reply",
    "RoutingError",
    "Work",
]


@dataclass
class Work:
    """A message: what its handler does, and how many further hops it may cause."""

    serial: int
    action: str
    depth: int
    revision: int = 0


@dataclass
class Job(Work):
    """A message of another class, for another handler."""


@dataclass
class Flow(Work):
    """A message of a class whose handler streams."""


@dataclass
class Reply:
    """The response to a message."""

    serial: int
    revision: int = 0


class HandlerError(Exception):
    """Raised by a handler."""


class FactoryError(Exception):
    """Raised by a factory; its first argument is the id of the agent."""


class InterceptorError(Exception):
    """Raised by an intervention handler."""


class RoutingError(Exception):
    """Raised by a custom subscription."""
