"""A memory in PostgreSQL."""
