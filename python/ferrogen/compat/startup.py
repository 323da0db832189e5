"""Whether child processes will set up the import hook when they start."""

from __future__ import annotations

import site
from pathlib import Path

from _ferrogen_hook import STARTUP_FILE


def children_are_hooked() -> bool:
    """Return whether the file that Python reads at its start is where Python looks for it.

    It comes with the package, and is missing where the package was not installed but only put on
    the path (by ``PYTHONPATH``, ``pip install --target``, a zip archive).
    """
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return any(Path(folder, STARTUP_FILE).is_file() for folder in folders)
