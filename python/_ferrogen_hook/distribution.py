"""The metadata of autogen-core for ``importlib.metadata``, installed or not."""

from __future__ import annotations

from importlib.metadata import Distribution, DistributionFinder
from pathlib import Path

NAME = "autogen-core"
VERSION = "0.7.5"

_FILES = {
    "METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: {VERSION}\n",
    "top_level.txt": "autogen_core\n",
}


class ServedDistribution(Distribution):
    """The release of autogen-core whose names ferrogen serves; it has no files of its own."""

    def read_text(self, filename: str) -> str | None:
        """Return the text of a metadata file."""
        return _FILES.get(filename)

    def locate_file(self, path: object) -> Path:
        """Place a file where packages of this installation lie."""
        return Path(__file__).parent.parent / str(path)


def distribution() -> Distribution:
    """Describe the served release."""
    return ServedDistribution()


def matches(context: DistributionFinder.Context | None) -> bool:
    """Return whether the served release matches a search of ``importlib.metadata``."""
    if context is None:
        return True
    if "path" in vars(context):
        # A search in certain folders; the served release is in none.
        return False
    return context.name is None or _normalised(context.name) == _normalised(NAME)


def _normalised(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")
