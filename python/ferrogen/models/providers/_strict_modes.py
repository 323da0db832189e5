"""The parts of JSON Schema that the strict modes of services accept."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StrictMode:
    """The strict mode of a service: the parts of JSON Schema that it accepts."""

    name: str
    """The service, as errors name it."""

    limits: frozenset[str]
    """The keywords of limits."""

    formats: frozenset[str]
    """The formats of texts."""

    recursive: bool
    """Whether a schema may contain itself."""


_FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid")
)
OPENAI = StrictMode(
    "OpenAI's strict mode",
    frozenset(
        ("pattern", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
    )
    | {"minItems", "maxItems"},
    _FORMATS,
    recursive=True,
)
ANTHROPIC = StrictMode("Anthropic's strict mode", frozenset(), _FORMATS | {"uri"}, recursive=False)
