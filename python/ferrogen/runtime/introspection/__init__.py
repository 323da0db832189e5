"""Introspection: agents, subscriptions, topology and statistics of a runtime."""
