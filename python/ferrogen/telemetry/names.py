"""Names on the wire and of loggers. They equal upstream's: dashboards and logging keep working."""

NAMESPACE = "autogen"
"""The first word of every message span's name."""


ROOT_LOGGER_NAME = "autogen_core"
"""The parent of all our loggers."""

EVENT_LOGGER_NAME = "autogen_core.events"
"""Structured events, see `ferrogen.logging`."""

TRACE_LOGGER_NAME = "autogen_core.trace"
"""Notes for developers; their wording may change at any time."""
