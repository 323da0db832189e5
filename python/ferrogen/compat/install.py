"""``ferrogen.install()``: from now on, autogen_core is ferrogen."""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

from _ferrogen_hook import ALIAS, REAL, STARTUP_FILE, VARIABLE, register
from ferrogen.exceptions import AlreadyImportedError


def children_are_hooked() -> bool:
    """Return whether the file that Python reads at its start is where Python looks for it.

    It comes with the package, and is missing where the package was not installed but only put on
    the path (by ``PYTHONPATH``, ``pip install --target``, a zip archive).
    """
    folders = site.getsitepackages()
    if site.ENABLE_USER_SITE:
        folders.append(site.getusersitepackages())
    return any(Path(folder, STARTUP_FILE).is_file() for folder in folders)


def install() -> None:
    """Make ``autogen_core`` and all its submodules Ferrogen's modules, here and in children.

    Call it before anything imports ``autogen_core``. It sets the environment variable
    ``FERROGEN_INSTALL``, by which child processes of the same Python environment do the same when
    they start. Calling it again changes nothing.

    Raises:
        AlreadyImportedError: The real ``autogen_core`` is already imported, perhaps by a package
            that builds on it.
    """
    _refuse_if_imported()
    register()
    os.environ[VARIABLE] = "1"


def _refuse_if_imported() -> None:
    imported = sys.modules.get(ALIAS)
    if imported is None or imported is sys.modules[REAL]:
        return
    users = sorted(name for name in sys.modules if name.startswith("autogen_") and "." not in name)
    users.remove(ALIAS)
    through = f" (and so is {', '.join(users)})" if users else ""
    raise AlreadyImportedError(
        f"{ALIAS} is already imported{through}, so ferrogen cannot take its place: call "
        "ferrogen.install() before the first import of it, or start the program by "
        '"ferrogen run PROGRAM"'
    )
