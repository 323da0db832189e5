"""Serves upstream's private module paths, as the table in `private_paths` lists them.

Each path becomes a small module that is created here and looks its names up when they are used.
"""

from __future__ import annotations

from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from _ferrogen_hook import ALIAS
from ferrogen.compat.missing import not_provided
from ferrogen.compat.private_paths import PRIVATE_PATHS


def private_spec(path: str) -> ModuleSpec | None:
    """Return the spec of the module that serves a private path, or None."""
    if path not in PRIVATE_PATHS:
        return None
    # As a package, since only from packages does an import of a missing name reach the backstop.
    loader = PrivatePathLoader(path)
    return ModuleSpec(f"{ALIAS}.{path}", loader, origin=__name__, is_package=True)


def resolve(home: str) -> Any:
    """Get the object that an entry of the table points at."""
    module, _, name = home.partition(":")
    return getattr(import_module(module), name)


class PrivatePathLoader(Loader):
    """Fills a new module with the names that upstream has at its path."""

    def __init__(self, path: str) -> None:
        self._path = path

    def create_module(self, spec: ModuleSpec) -> None:
        """Let the import system make a plain module."""

    def exec_module(self, module: ModuleType) -> None:
        """Add the names to the module."""
        module.__doc__ = f"Upstream's private path {module.__name__}; use the public names instead."
        _serve(module, self._path)


def _serve(module: ModuleType, path: str) -> None:
    """Give a module names that are looked up when first used, as some need optional packages."""
    names = PRIVATE_PATHS[path]

    def look_up(name: str) -> Any:
        if name not in names:
            raise AttributeError(not_provided(f"{path}.{name}"), name=name, obj=module)
        found = resolve(names[name])
        setattr(module, name, found)
        return found

    def list_names() -> list[str]:
        return sorted({*vars(module), *names})

    setattr(module, "__getattr__", look_up)  # noqa: B010 - mypy refuses the plain assignment
    setattr(module, "__dir__", list_names)  # noqa: B010
