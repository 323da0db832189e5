"""Functions with the packages and imports that they require."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FunctionType, ModuleType
from typing import Any, Generic, TypeVar

from typing_extensions import ParamSpec

from ferrogen.exceptions import FunctionSourceError


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


ReturnT = TypeVar("ReturnT")
ParametersP = ParamSpec("ParametersP")

_MODULE = "func_module"


@dataclass
class FunctionWithRequirementsStr:
    r"""A function as source text, with its requirements.

    The text is executed when the object is created, to find the function and its signature: pass
    only text that you trust.

    Args:
        func: Python source that defines exactly one function.
        python_packages: The packages to install, as requirements that pip reads.
        global_imports: The imports that it needs.

    Raises:
        FunctionSourceError: The text does not run, or does not define exactly one function.

    Example:
        ```python
        from ferrogen.code_executor import FunctionWithRequirements

        double = FunctionWithRequirements.from_str("def double(n: int) -> int:\n    return 2 * n")
        assert double.compiled_func(4) == 8
        ```
    """

    __module__ = "ferrogen.code_executor"

    func: str
    compiled_func: Callable[..., Any]
    _func_name: str
    python_packages: Sequence[str] = field(default_factory=list[str])
    global_imports: Sequence[Import] = field(default_factory=list[Import])

    def __init__(
        self,
        func: str,
        python_packages: Sequence[str] = [],
        global_imports: Sequence[Import] = [],
    ) -> None:
        self._func_name, self.compiled_func = _only_function(func)
        self.func = func
        self.python_packages, self.global_imports = python_packages, global_imports

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        """Raise: only a code executor, which installs the packages, runs the text.

        Raises:
            NotImplementedError: Always.
        """
        # AutoGen's words, which programs match on.
        raise NotImplementedError(
            "String based function with requirement objects are not directly callable"
        )


@dataclass
class FunctionWithRequirements(Generic[ReturnT, ParametersP]):
    """A function with its requirements; a call is passed to the function.

    `with_requirements` creates them.

    Example:
        ```python
        import math

        from ferrogen.code_executor import FunctionWithRequirements


        def area(radius: float) -> float:
            return math.pi * radius**2


        packed = FunctionWithRequirements.from_callable(area, global_imports=["math"])
        assert packed.global_imports == ["math"]
        ```
    """

    __module__ = "ferrogen.code_executor"

    func: Callable[ParametersP, ReturnT]
    """The function itself."""

    python_packages: Sequence[str] = field(default_factory=list[str])
    """The packages to install, as requirements that pip reads."""

    global_imports: Sequence[Import] = field(default_factory=list[Import])
    """The imports that it needs."""

    @classmethod
    def from_callable(
        cls,
        func: Callable[ParametersP, ReturnT],
        python_packages: Sequence[str] = [],
        global_imports: Sequence[Import] = [],
    ) -> "FunctionWithRequirements[ReturnT, ParametersP]":
        """Add requirements to a function."""
        return cls(func, python_packages, global_imports)

    @staticmethod
    def from_str(
        func: str,
        python_packages: Sequence[str] = [],
        global_imports: Sequence[Import] = [],
    ) -> FunctionWithRequirementsStr:
        """Add requirements to source text.

        Raises:
            FunctionSourceError: The text does not run, or does not define exactly one function.
        """
        return FunctionWithRequirementsStr(func, python_packages, global_imports)

    def __call__(self, *args: ParametersP.args, **kwargs: ParametersP.kwargs) -> ReturnT:
        """Call the function."""
        function = self.func
        return function(*args, **kwargs)


def with_requirements(
    python_packages: Sequence[str] = [],
    global_imports: Sequence[Import] = [],
) -> Callable[[Callable[ParametersP, ReturnT]], FunctionWithRequirements[ReturnT, ParametersP]]:
    """Declare the requirements of a function that a code executor offers to generated code.

    Args:
        python_packages: The packages that the executor installs, as requirements that pip reads.
        global_imports: The imports that the executor writes before it.

    Returns:
        A decorator. The decorated function can still be called.

    Example:
        ```python
        from math import pi

        from ferrogen.code_executor import ImportFromModule, with_requirements


        @with_requirements(global_imports=[ImportFromModule("math", ("pi",))])
        def area(radius: float) -> float:
            return pi * radius**2


        assert area.python_packages == []
        ```
    """

    def decorate(
        func: Callable[ParametersP, ReturnT],
    ) -> FunctionWithRequirements[ReturnT, ParametersP]:
        decorated = FunctionWithRequirements(func, python_packages, global_imports)
        functools.update_wrapper(decorated, func)
        return decorated

    return decorate


def _only_function(source: str) -> tuple[str, Callable[..., Any]]:
    module = ModuleType(_MODULE)
    try:
        exec(compile(source, f"<{_MODULE}>", "exec"), module.__dict__)
    except Exception as error:
        raise FunctionSourceError(f"Could not compile function: {error}") from error
    found = [
        (name, value)
        for name, value in vars(module).items()
        if isinstance(value, FunctionType) and value.__module__ == _MODULE
    ]
    if len(found) != 1:
        # AutoGen's words, which programs match on.
        raise FunctionSourceError("The string must contain exactly one function")
    return found[0]
