"""What the strict modes of services accept of JSON Schema."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class StrictMode:
    """What the strict mode of a service accepts."""

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
