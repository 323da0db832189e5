"""Import statements of functions with requirements."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Alias:
    """A module, or a name in a module, under another name.

    Example:
        ```python
        from ferrogen.code_executor import Alias

        numpy = Alias("numpy", "np")  # import numpy as np
        assert numpy.alias == "np"
        ```
    """

    __module__ = "ferrogen.code_executor"

    name: str
    """The imported module or name."""

    alias: str
    """The name in the code."""


@dataclass(frozen=True)
class ImportFromModule:
    """Names that are imported from one module.

    Args:
        module: The module, dotted.
        imports: The names; an `Alias` gives one of them another name.

    Example:
        ```python
        from ferrogen.code_executor import Alias, ImportFromModule

        needed = ImportFromModule("datetime", ("date", Alias("datetime", "moment")))
        assert needed.imports[0] == "date"
        ```
    """

    __module__ = "ferrogen.code_executor"

    module: str
    imports: tuple[str | Alias, ...]

    def __init__(self, module: str, imports: tuple[str | Alias, ...] | list[str | Alias]) -> None:
        vars(self).update(module=module, imports=tuple(imports))


Import = str | ImportFromModule | Alias
"""A module's name, an `Alias` of a module, or names from a module."""


def import_to_str(im: Import) -> str:
    """Write an import as the statement it stands for."""
    if isinstance(im, ImportFromModule):
        return f"from {im.module} import {_names(im.imports)}"
    return f"import {_names((im,))}"


def _names(imports: Sequence[str | Alias]) -> str:
    return ", ".join(
        item if isinstance(item, str) else f"{item.name} as {item.alias}" for item in imports
    )
