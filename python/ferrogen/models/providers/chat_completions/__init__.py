"""Responses and tools of the chat completions API, which many services serve."""
