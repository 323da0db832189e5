"""The fixture of the plugin."""

from ferrogen.testing.pytest_plugin import virtual_clock  # noqa: F401
