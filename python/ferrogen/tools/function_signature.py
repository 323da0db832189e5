"""The signature of a function that becomes a tool, with resolved annotations."""

import inspect
import sys
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from ferrogen._annotations import closed_over, names_around, signature_of
from ferrogen.exceptions import ToolSchemaError
from ferrogen.tools.arguments import CANCELLATION, Arguments

_NO_TYPE = inspect.Parameter.empty


def get_typed_signature(call: Callable[..., Any]) -> inspect.Signature:
    """Get the signature of a function, its annotations resolved.

    Names of enclosing functions are found in the closure of the function, and while the enclosing
    function runs. ``cancellation_token`` needs no annotation, and its annotation is not resolved.

    Args:
        call: A function, a method, a partial, or an object that can be called; ``Annotated`` is
            kept.

    Raises:
        ToolSchemaError: A parameter has no annotation, or one that cannot be resolved, or takes
            arguments without names.
    """
    signature = signature_of(call)
    function = _annotated(call)
    for name, parameter in signature.parameters.items():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            raise ToolSchemaError(
                f"parameter *{name} of {_name(function)} takes arguments without names, and models"
                " give every argument a name; take a list instead"
            )
        if parameter.annotation is _NO_TYPE and name != CANCELLATION:
            raise ToolSchemaError(
                f"parameter {name!r} of {_name(function)} has no annotation; annotate it, so that"
                " its type can be described to the model"
            )
    hints = _hints(function, signature)
    return inspect.Signature(
        [
            parameter.replace(annotation=hints.get(name, parameter.annotation))
            for name, parameter in signature.parameters.items()
        ],
        return_annotation=hints.get("return", inspect.Signature.empty),
    )


def args_base_model_from_signature(name: str, sig: inspect.Signature) -> type[BaseModel]:
    """Create the model of a function's arguments.

    Args:
        name: The name of the model.
        sig: A signature with resolved annotations.

    Raises:
        ToolSchemaError: A parameter has no annotation, a type that pydantic does not support, or
            a description that is not text.
    """
    return Arguments(name, sig).model


def normalize_annotated_type(type_hint: Any) -> Any:
    """Take the type out of an ``Annotated``; anything else is returned as it is."""
    return get_args(type_hint)[0] if get_origin(type_hint) is Annotated else type_hint


def name_of(call: Callable[..., Any]) -> str:
    """Return the name of a function, or of the class of another callable object."""
    function = _unbound(call)
    name: str = getattr(function, "__name__", type(function).__name__)
    return name


def documentation_of(call: Callable[..., Any]) -> str | None:
    """Return the docstring of a function, or of the class or ``__call__`` of another callable."""
    function = _unbound(call)
    if inspect.isroutine(function):
        return inspect.getdoc(function)
    own: str | None = None
    if not isinstance(function, type):
        own = getattr(_annotated(call), "__doc__", None)
    kind = function if isinstance(function, type) else type(function)
    return own or _documentation_of_class(kind)


def _documentation_of_class(kind: type[Any]) -> str | None:
    # Since 3.15 the class of a dataclass keeps what makes its docstring, not the text.
    own = kind.__doc__ if "__doc__" in vars(kind) else None
    written_by_dataclass = own is not None and own.startswith(f"{kind.__name__}(")
    return None if written_by_dataclass else own


def waits(call: Callable[..., Any]) -> bool:
    """Whether a call creates a coroutine."""
    return any(map(inspect.iscoroutinefunction, (_unbound(call), _annotated(call))))


def _unbound(call: Callable[..., Any]) -> Callable[..., Any]:
    return call.func if isinstance(call, partial) else call


def _annotated(call: Callable[..., Any]) -> Callable[..., Any]:
    """Find the function that carries the annotations: an object's are at its ``__call__``."""
    function = _unbound(call)
    if inspect.isroutine(function) or isinstance(function, type):
        return function
    if hasattr(function, "__wrapped__"):  # it has taken on the annotations of what it wraps
        return function
    method: Callable[..., Any] = getattr(function, "__call__")  # noqa: B004, B009 - mypy sees none
    return method


def _hints(function: Callable[..., Any], signature: inspect.Signature) -> dict[str, Any]:
    innermost = inspect.unwrap(function)
    annotations = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if name != CANCELLATION
    }
    if signature.return_annotation is not inspect.Signature.empty:
        annotations["return"] = signature.return_annotation
    try:
        hints = get_type_hints(function, localns=closed_over(innermost), include_extras=True)
    except Exception:  # noqa: BLE001 - the annotation that is at fault is found below
        hints = {}
    return {
        name: hints[name] if name in hints else _resolved(annotation, name, innermost)
        for name, annotation in annotations.items()
    }


def _resolved(annotation: Any, name: str, function: Any) -> Any:
    # A separate object, so that the other annotations need not be resolvable.
    holder = SimpleNamespace(__annotations__={"it": annotation})
    module_names = getattr(function, "__globals__", None)
    if module_names is None:
        module_names = vars(sys.modules.get(function.__module__, object))
    local_names = {**names_around(function), **closed_over(function)}
    try:
        return get_type_hints(holder, dict(module_names), local_names, include_extras=True)["it"]
    except Exception as error:  # noqa: BLE001 - an annotation can raise anything
        reason = error
    shown = getattr(annotation, "__forward_arg__", annotation)
    place = "return value" if name == "return" else f"parameter {name!r}"
    raise ToolSchemaError(
        f"the annotation {shown!r} of the {place} of {_name(function)} cannot be resolved"
        f" ({reason}); define or import the type at the top of the module, outside of"
        ' "if TYPE_CHECKING", or leave out "from __future__ import annotations" there'
    ) from reason


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
