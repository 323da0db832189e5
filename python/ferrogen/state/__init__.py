"""Stores for the state of agents that are not in memory."""
