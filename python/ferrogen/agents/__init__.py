"""Agents: base classes, handlers, registration and options."""
