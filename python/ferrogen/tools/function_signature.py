"""A function's signature, and the pydantic model of the arguments that it takes as a tool."""

import inspect
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import BaseModel, Field, create_model
from pydantic_core import PydanticUndefined

from ferrogen.exceptions import ToolSchemaError

CANCELLATION = "cancellation_token"
"""The parameter that gets the caller's token; models never see it."""


def get_typed_signature(call: Callable[..., Any]) -> inspect.Signature:
    """Get the signature of a function, its annotations resolved.

    Args:
        call: A function, a method, a partial, or an object that can be called; ``Annotated`` is
            kept.

    Raises:
        ToolSchemaError: A parameter has no annotation, or takes arguments without names.
        NameError: An annotation names something that its module does not have.
    """
    signature = inspect.signature(call)
    function = _annotated(call)
    hints = get_type_hints(function, include_extras=True)
    for name in signature.parameters:
        if name not in hints:
            raise ToolSchemaError(
                f"parameter {name!r} of {_name(function)} has no annotation; annotate it, as the"
                " model is told its type"
            )
        if signature.parameters[name].kind is inspect.Parameter.VAR_POSITIONAL:
            raise ToolSchemaError(
                f"parameter *{name} of {_name(function)} takes arguments without names, and models"
                " give every argument a name; take a list instead"
            )
    return inspect.Signature(
        [
            parameter.replace(annotation=hints[name])
            for name, parameter in signature.parameters.items()
        ],
        return_annotation=hints.get("return", inspect.Signature.empty),
    )


def args_base_model_from_signature(name: str, sig: inspect.Signature) -> type[BaseModel]:
    """Make the model of a function's arguments.

    Args:
        name: What the model is called.
        sig: A signature with resolved annotations.

    Raises:
        ToolSchemaError: A parameter has no annotation, or a description that is not text.
    """
    fields: dict[str, Any] = {
        parameter.name: _field(parameter)
        for parameter in sig.parameters.values()
        if parameter.name != CANCELLATION
    }
    model: type[BaseModel] = create_model(name, **fields)
    return model


def normalize_annotated_type(type_hint: Any) -> Any:
    """Take the type out of an ``Annotated``; anything else is returned as it is."""
    return get_args(type_hint)[0] if get_origin(type_hint) is Annotated else type_hint


def name_of(call: Callable[..., Any]) -> str:
    """Name a function; an object that can be called goes by its class."""
    function = _unbound(call)
    name: str = getattr(function, "__name__", type(function).__name__)
    return name


def waits(call: Callable[..., Any]) -> bool:
    """Tell whether calling it makes a coroutine."""
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


def _field(parameter: inspect.Parameter) -> tuple[Any, Any]:
    if parameter.annotation is inspect.Parameter.empty:
        raise ToolSchemaError(f"No annotation for parameter {parameter.name!r}")
    default = (
        PydanticUndefined if parameter.default is inspect.Parameter.empty else parameter.default
    )
    described = Field(default=default, description=_description(parameter))
    return normalize_annotated_type(parameter.annotation), described


def _description(parameter: inspect.Parameter) -> str:
    notes = getattr(parameter.annotation, "__metadata__", (parameter.name,))
    if not isinstance(notes[0], str):
        raise ToolSchemaError(
            f"Invalid description {notes[0]} for parameter {parameter.name}, should be a string."
        )
    return notes[0]


def _name(function: Callable[..., Any]) -> str:
    return getattr(function, "__qualname__", repr(function))
