"""Memories in SQL databases: what SQLite and PostgreSQL have in common."""
