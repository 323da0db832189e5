"""The ``ferrogen`` command."""
