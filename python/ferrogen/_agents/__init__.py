"""Agents: what they are, how they are declared, and how they route what they receive."""
