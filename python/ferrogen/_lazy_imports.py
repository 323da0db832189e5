"""Public names whose modules need pydantic, which `import ferrogen` does not import.

Each is imported when it is first used, and is an ordinary attribute from then on. To add one,
name its module here, import it in the part of `__init__.py` for type checkers, and list it there.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from ferrogen.compat.missing import missing_attribute

_COMPONENTS = "ferrogen.components"

LAZY_IMPORTS = {
    "CacheStore": f"{_COMPONENTS}.cache_store",
    "Component": f"{_COMPONENTS}.component",
    "ComponentBase": f"{_COMPONENTS}.component",
    "ComponentFromConfig": f"{_COMPONENTS}.config",
    "ComponentLoader": f"{_COMPONENTS}.loader",
    "ComponentModel": f"{_COMPONENTS}.model",
    "ComponentSchemaType": f"{_COMPONENTS}.config",
    "ComponentToConfig": f"{_COMPONENTS}.config",
    "ComponentType": f"{_COMPONENTS}.model",
    "Image": "ferrogen._image",
    "InMemoryStore": f"{_COMPONENTS}.cache_store",
    "is_component_class": f"{_COMPONENTS}.component",
    "is_component_instance": f"{_COMPONENTS}.component",
}


def lazy_attribute(name: str) -> Any:
    """Serve as the module-level ``__getattr__`` of ``ferrogen``.

    Raises:
        AttributeError: There is nothing of that name.
    """
    if name not in LAZY_IMPORTS:
        return missing_attribute(name)
    found = getattr(import_module(LAZY_IMPORTS[name]), name)
    setattr(sys.modules["ferrogen"], name, found)
    return found


def listed_names() -> list[str]:
    """Serve as the module-level ``__dir__`` of ``ferrogen``."""
    return sorted({*vars(sys.modules["ferrogen"]), *LAZY_IMPORTS})
