"""Errors for parts of autogen_core that Ferrogen does not have."""

from __future__ import annotations

import sys
from importlib import import_module

from _ferrogen_hook import ALIAS, REAL
from ferrogen.compat.private_paths import PRIVATE_PATHS
from ferrogen.compat.upstream_names import MODULES, NAMES, not_provided
from ferrogen.exceptions import NotProvidedError


def missing_attribute(name: str) -> object:
    """Return the module for a name that ``ferrogen`` does not have, or raise.

    It raises what ``hasattr`` expects. The import hook raises a `NotProvidedError` with the same
    text for the statement ``from autogen_core import name``.

    Args:
        name: A name that the module ``ferrogen`` does not have.

    Returns:
        The module of that name, if it is a private path of upstream and the hook is in use.

    Raises:
        AttributeError: There is nothing of that name.
    """
    module = sys.modules[REAL]
    if name in PRIVATE_PATHS and sys.modules.get(ALIAS) is module:
        return import_module(f"{ALIAS}.{name}")
    if name in MODULES or name in NAMES:
        raise AttributeError(not_provided(name))
    raise AttributeError(f"module {REAL!r} has no attribute {name!r}", name=name, obj=module)


def refuse(name: str) -> None:
    """Raise if a module or name that was not found is one of upstream's.

    Args:
        name: The dotted name below ``autogen_core``.

    Raises:
        NotProvidedError: Upstream has it, or may have it, as it is below a private path.
    """
    module, _, _ = name.rpartition(".")
    if name in MODULES or name in NAMES or module in PRIVATE_PATHS:
        # The import system drops a ModuleNotFoundError that names what it looked for itself. That
        # is ferrogen.name, not this one; below a private path it is this one, so name the module,
        # as ImportErrors about names do.
        at = module if module in PRIVATE_PATHS else name
        raise NotProvidedError(not_provided(name), name=f"{ALIAS}.{at}")
