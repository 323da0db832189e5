"""Providers: the clients for each API, and their common parts."""
