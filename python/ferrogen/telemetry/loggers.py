"""The loggers' names. They equal upstream's, so logging set up for AutoGen keeps hearing us."""

ROOT_LOGGER_NAME = "autogen_core"
"""The parent of all our loggers."""

EVENT_LOGGER_NAME = "autogen_core.events"
"""Structured events, see `ferrogen.logging`."""

TRACE_LOGGER_NAME = "autogen_core.trace"
"""Notes for developers; their wording may change at any time."""
