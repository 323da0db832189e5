"""Memory in an SQLite file."""
