"""Embedders: vectors of texts."""
