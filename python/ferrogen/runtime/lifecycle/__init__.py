"""The life cycle of a runtime: starting, stopping, signals, and its event loop."""
