"""Sandboxed execution of code that is not trusted."""
