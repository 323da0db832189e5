"""Pydantic models made from JSON Schema."""
