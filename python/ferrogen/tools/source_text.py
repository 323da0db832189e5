"""Source text of functions: written into configs, and run again only where the caller allows it.

A config that holds source text could hold any, so the caller has to opt in (A17).
"""

import ast
import inspect
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from textwrap import dedent
from typing import Any
from weakref import WeakKeyDictionary

from ferrogen._annotations import closed_over
from ferrogen.code_executor.requirements import (
    FunctionWithRequirements,
    Import,
    import_to_str,
    with_requirements,
)
from ferrogen.components.faults import Fault
from ferrogen.exceptions import (
    ComponentTypeError,
    FunctionDumpError,
    FunctionSourceError,
    SourceImportError,
    SourceTextRefusedError,
)
from ferrogen.tools.source_names import explain_missing, missing_names

SOURCE_TEXT_VARIABLE = "FERROGEN_ALLOW_SOURCE_TEXT"
"""An environment variable: any text but the empty one allows source text in the whole process."""


@dataclass(frozen=True)
class SourceText:
    """A function as text. Called, it makes the function and calls it: in another process, say."""

    source: str
    imports: tuple[Import, ...]

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Call the function; source text was allowed when this object was created."""
        with allow_source_text():
            function = function_from_source(self.source, self.imports)
        return function(*args, **kwargs)


_allowed: ContextVar[bool] = ContextVar("ferrogen_source_text_allowed", default=False)
_texts: WeakKeyDictionary[Callable[..., Any], SourceText] = WeakKeyDictionary()


@contextmanager
def allow_source_text() -> Generator[None, None, None]:
    r"""Let configs that are loaded inside the ``with`` block run the source text they contain.

    The config of a `FunctionTool` is Python code. Allow it for configs that you wrote, or have
    read. Only the current task is concerned, and the tasks it starts inside the block.

    Example:
        ```python
        from ferrogen.tools import FunctionTool, allow_source_text

        config = {
            "provider": "autogen_core.tools.FunctionTool",
            "config": {
                "source_code": "def double(n: int) -> int:\n    return 2 * n\n",
                "name": "double",
                "description": "Doubles a number.",
                "global_imports": [],
                "has_cancellation_support": False,
            },
        }
        with allow_source_text():
            tool = FunctionTool.load_component(config)
        assert tool.name == "double"
        ```
    """
    before = _allowed.set(True)
    try:
        yield
    finally:
        _allowed.reset(before)


def text_of(function: Callable[..., Any]) -> SourceText | None:
    """Find the text that `function_from_source` made a function of."""
    try:
        return _texts.get(function)
    except TypeError:  # a decorator made it something that cannot be looked up
        return None


def source_of(function: Callable[..., Any], imports: Sequence[Import] = ()) -> str:
    """Return the source text of a function, from which `function_from_source` makes it again.

    Args:
        function: The function.
        imports: The imports before the text.

    Raises:
        FunctionDumpError: It has no source text that would make it again, or the text needs names
            that it would not have.
    """
    made_of = text_of(function)
    if made_of is not None:
        return made_of.source
    if inspect.ismethod(function):
        raise FunctionDumpError(
            f"{function.__qualname__} is a method, whose object source text cannot hold; make the"
            " tool of a function"
        )
    try:
        source = _written(function)
        _first_function(ast.parse(source))
    except (TypeError, OSError, SyntaxError, FunctionSourceError) as error:
        raise FunctionDumpError(
            f"{function!r} cannot be written down: {error}; make the tool of a function that is"
            " defined by def in a file"
        ) from error
    written = inspect.unwrap(getattr(function, "func", function))
    module_names = {**getattr(written, "__globals__", {}), **closed_over(written)}
    missing = missing_names(source, imports, module_names)
    if missing:
        raise FunctionDumpError(
            f"the source text of {written.__qualname__} cannot run on its own: it needs"
            f" {', '.join(missing)}; {explain_missing(missing, module_names)}"
        )
    return source


def function_from_source(source: str, imports: Sequence[Import]) -> Callable[..., Any]:
    """Run source text, where that is allowed, and return the first function it defines.

    Args:
        source: Python text with a function at its top level.
        imports: The imports before it.

    Raises:
        SourceTextRefusedError: The caller did not allow source text; nothing was run.
        SourceImportError: One of the imports failed.
        FunctionSourceError: The text does not run, or defines no function.
        ComponentTypeError: The object that it defines cannot be called.
    """
    if not _is_allowed():
        raise SourceTextRefusedError(_REFUSAL)
    namespace: dict[str, Any] = {"__name__": "loaded_tool"}
    for needed in imports:
        _import(import_to_str(needed), namespace)
    try:
        tree = ast.parse(source)
        name = _first_function(tree)
        exec(compile(tree, "<source text of a tool>", "exec"), namespace)
    except Exception as error:
        raise FunctionSourceError(f"Could not compile and load function: {error}") from error
    function: Callable[..., Any] = namespace[name]
    if not callable(function):
        raise ComponentTypeError(f"Expected function but got {type(function)}")
    with suppress(TypeError):  # what cannot be looked up later cannot be dumped again
        _texts[function] = SourceText(source, tuple(imports))
    return function


def faults_of_source(source: str) -> Iterator[Fault]:
    """Return why source text would not be run, or makes no function, without running it."""
    if not _is_allowed():
        yield Fault("source_code", "untrusted", _REFUSAL)
    try:
        _first_function(ast.parse(source))
    except (SyntaxError, ValueError) as error:  # a FunctionSourceError is a ValueError
        yield Fault("source_code", "config", str(error))


def _written(function: Callable[..., Any]) -> str:
    """Return the source of a function, with the decorators that make it what it is."""
    inner = function.func if isinstance(function, FunctionWithRequirements) else function
    source = dedent(inspect.getsource(inner))
    definition = ast.parse(source).body[0]
    if not isinstance(definition, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return source
    lines = source.splitlines(keepends=True)
    if inspect.isfunction(inner) and not hasattr(inner, "__wrapped__"):
        return "".join(lines[definition.lineno - 1 :])  # decorators did not replace it
    for decorator in definition.decorator_list:
        if not _packs_up(decorator, inspect.unwrap(inner)):
            return "".join(lines[decorator.lineno - 1 :])
    return "".join(lines[definition.lineno - 1 :])


def _packs_up(decorator: ast.expr, function: Callable[..., Any]) -> bool:
    """Whether a decorator makes the tool, or lists requirements, which the config does, too."""
    called = decorator.func if isinstance(decorator, ast.Call) else decorator
    path: list[str] = []
    while isinstance(called, ast.Attribute):
        path.insert(0, called.attr)
        called = called.value
    if not isinstance(called, ast.Name):
        return False
    found = getattr(function, "__globals__", {}).get(called.id)
    for name in path:
        found = getattr(found, name, None)
    return any(found is one for one in _written_in_config)


_written_in_config: list[Callable[..., Any]] = [with_requirements]


def leave_out_of_source(decorator: Callable[..., Any]) -> None:
    """Leave a decorator out of source texts: the config says the same."""
    _written_in_config.append(decorator)


def _is_allowed() -> bool:
    return _allowed.get() or bool(os.environ.get(SOURCE_TEXT_VARIABLE))


_REFUSAL = (
    "the config of a FunctionTool is Python source text, which loading runs; if you trust it, load"
    " it inside `with ferrogen.tools.allow_source_text():`, or set the environment variable"
    f" {SOURCE_TEXT_VARIABLE}=1"
)


def _import(statement: str, namespace: dict[str, Any]) -> None:
    try:
        exec(statement, namespace)
    except Exception as error:
        raise SourceImportError(f"Failed to import {statement}: {error}") from error


def _first_function(tree: ast.Module) -> str:
    for statement in tree.body:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return statement.name
    raise FunctionSourceError("the text defines no function at its top level")
