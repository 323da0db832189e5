"""Support for upstream's names and import paths."""
