"""Providers: the clients for each API, and what they share."""
