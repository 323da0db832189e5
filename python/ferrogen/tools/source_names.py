"""Names that source text takes from the module it was written in."""

import ast
import builtins
import dis
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from types import CodeType, ModuleType
from typing import Any

from ferrogen.code_executor.imports import Import, import_to_str

_READS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_WRITES = ("STORE_GLOBAL", "STORE_NAME")


def missing_names(
    source: str, imports: Sequence[Import], module_names: Mapping[str, Any]
) -> list[str]:
    """List the names that source text reads, and that nothing defines when it runs on its own.

    Args:
        source: The text; all of it runs, and so do the functions it defines.
        imports: What is imported before it.
        module_names: The names of the module that the text comes from. A built-in name that the
            module has given another meaning is missing, too.

    Raises:
        SyntaxError: The text is not Python.
    """
    code = compile(source, "<source text>", "exec", dont_inherit=True)
    read, written = _names_of(code)
    imported = {name for needed in imports for name in _imported_by(needed)}
    known = {*written, *imported, *(dir(builtins) - module_names.keys()), "__name__"}
    return sorted(read - known)


def explain_missing(names: Sequence[str], module_names: Mapping[str, Any]) -> str:
    """Say of each missing name how the text can have it."""
    modules = [name for name in names if isinstance(module_names.get(name), ModuleType)]
    others = [name for name in names if name not in modules]
    parts = []
    if modules:
        parts.append(f"pass {', '.join(modules)} in global_imports")
    if others:
        parts.append(
            f"define or import {', '.join(others)} inside the function, or pass an ImportFromModule"
            " in global_imports"
        )
    return "; ".join(parts)


def _names_of(code: CodeType) -> tuple[set[str], set[str]]:
    """Return the global names that code reads, and those that it defines."""
    read, written = set(), set()
    for step in dis.get_instructions(code):
        if step.opname in _READS:
            read.add(step.argval)
        elif step.opname in _WRITES:
            written.add(step.argval)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            inner_read, inner_written = _names_of(inner)
            read |= inner_read
            written |= inner_written
    in_class_body = code.co_name != "<module>" and not code.co_flags & inspect.CO_OPTIMIZED
    return (read - written, set()) if in_class_body else (read, written)


def _imported_by(needed: Import) -> Iterator[str]:
    (statement,) = ast.parse(import_to_str(needed)).body
    for alias in getattr(statement, "names", ()):
        if alias.name == "*":
            module = sys.modules.get(getattr(statement, "module", ""))
            yield from getattr(module, "__all__", dir(module))
        else:
            yield alias.asname or alias.name.partition(".")[0]
