"""Names that source text takes from the module it was written in."""

import ast
import builtins
import dis
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import CodeType, ModuleType
from typing import Any

from ferrogen.code_executor.requirements import Import, import_to_str

_READS = ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS")
_WRITES = ("STORE_GLOBAL", "STORE_NAME")


def missing_names(
    source: str, imports: Sequence[Import], module_names: Mapping[str, Any]
) -> list[str]:
    """List the names that source text reads, and that nothing defines when it runs on its own.

    Args:
        source: The text; all of it runs, and so do the functions it defines.
        imports: The imports before it.
        module_names: The names of the module that the text comes from. A built-in name that the
            module has given another meaning is missing, too.

    Raises:
        SyntaxError: The text is not Python.
    """
    code = compile(source, "<source text>", "exec", dont_inherit=True)
    read, written = _names_of(code)
    read |= set(_names_in_quotes(ast.parse(source)))
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


def _names_in_quotes(tree: ast.Module) -> Iterator[str]:
    """Yield the names in annotations that are strings, of the functions at the top level."""
    for definition in tree.body:
        if isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef)):
            listed = definition.args
            arguments = [*listed.posonlyargs, *listed.args, *listed.kwonlyargs]
            arguments += [each for each in (listed.vararg, listed.kwarg) if each is not None]
            for annotation in (*(each.annotation for each in arguments), definition.returns):
                yield from _names_in_types(annotation)


def _names_in_types(node: ast.AST | None, *, quoted: bool = False) -> Iterator[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        with suppress(SyntaxError):
            yield from _names_in_types(ast.parse(node.value, mode="eval").body, quoted=True)
    elif isinstance(node, ast.Subscript):
        yield from _names_in_types(node.value, quoted=quoted)
        kind = ast.unparse(node.value).rpartition(".")[2]
        inner = node.slice
        if kind == "Annotated" and isinstance(inner, ast.Tuple):
            inner = inner.elts[0]  # a text after it is a description
        if kind != "Literal":
            yield from _names_in_types(inner, quoted=quoted)
    elif isinstance(node, ast.Name):
        if quoted:
            yield node.id
    elif node is not None:
        for child in ast.iter_child_nodes(node):
            yield from _names_in_types(child, quoted=quoted)


def _imported_by(needed: Import) -> Iterator[str]:
    (statement,) = ast.parse(import_to_str(needed)).body
    for alias in getattr(statement, "names", ()):
        if alias.name == "*":
            module = sys.modules.get(getattr(statement, "module", ""))
            yield from getattr(module, "__all__", dir(module))
        else:
            yield alias.asname or alias.name.partition(".")[0]
