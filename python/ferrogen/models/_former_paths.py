"""Former paths of modules that were moved."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module


def keep_former_paths(former: str, current: str, moved: Mapping[str, str] | None = None) -> None:
    """Let the modules of a package also be imported under its former path, as the same objects.

    Args:
        former: The former path of the package.
        current: Its current path. It is imported, and so are its modules.
        moved: Modules that are in another package now: their current path by their former name.
    """
    found = {
        name.removeprefix(f"{current}."): module
        for name, module in list(sys.modules.items())
        if name.startswith(f"{current}.")
    }
    found.update({name: import_module(path) for name, path in (moved or {}).items()})
    for name, module in found.items():
        if "." not in name:
            sys.modules.setdefault(f"{former}.{name}", module)
            vars(sys.modules[former]).setdefault(name, module)
