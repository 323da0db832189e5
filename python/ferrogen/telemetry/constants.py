"""Names that telemetry writes on the wire; they equal upstream's, so dashboards keep working."""

NAMESPACE = "autogen"
"""The first word of every message span's name."""
