"""The Python file from which generated code imports functions of the user."""

import ast
import inspect
from collections.abc import Callable, Sequence
from textwrap import dedent, indent
from typing import Any

from ferrogen.code_executor.requirements import (
    FunctionWithRequirements,
    FunctionWithRequirementsStr,
    import_to_str,
)

Function = FunctionWithRequirements[Any, ...] | FunctionWithRequirementsStr | Callable[..., Any]
_WITH_REQUIREMENTS = (FunctionWithRequirements, FunctionWithRequirementsStr)


def build_python_functions_file(funcs: Sequence[Function]) -> str:
    """Write a module that has the functions, after the imports they need, each import once."""
    imports = dict.fromkeys(
        needed
        for func in funcs
        if isinstance(func, _WITH_REQUIREMENTS)
        for needed in func.global_imports
    )
    return "\n\n".join(["\n".join(map(import_to_str, imports)), *map(to_code, funcs), ""])


def packages_of(funcs: Sequence[Function]) -> list[str]:
    """Return the packages that the functions require, each once."""
    return [
        *dict.fromkeys(
            package
            for func in funcs
            if isinstance(func, _WITH_REQUIREMENTS)
            for package in func.python_packages
        )
    ]


def to_code(func: Function) -> str:
    """Return the source of a function, without the first decorator and without indentation.

    Args:
        func: The function. The first decorator is taken to be the one that packs it up.

    Raises:
        OSError: Its source cannot be found, for instance because it was typed at a prompt.
        TypeError: It is not a function that was written in Python.
    """
    if isinstance(func, FunctionWithRequirementsStr):
        return func.func
    function = func.func if isinstance(func, FunctionWithRequirements) else func
    source = dedent(inspect.getsource(function))
    if not source.startswith("@"):
        return source
    (definition,) = ast.parse(source).body
    if not isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return source  # an expression can start with "@" only where it is matrix multiplication
    decorator_ends = definition.decorator_list[0].end_lineno
    return "".join(source.splitlines(keepends=True)[decorator_ends:])


def to_stub(func: Callable[..., Any] | FunctionWithRequirementsStr) -> str:
    """Return the head of a function and its docstring, to show to a model."""
    function = func.compiled_func if isinstance(func, FunctionWithRequirementsStr) else func
    parameters = inspect.signature(function)
    lines = [f"def {function.__name__}{parameters}:", "    ..."]
    if function.__doc__:
        lines.insert(1, indent(f'"""{dedent(function.__doc__)}"""', "    "))
    return "\n".join(lines)
