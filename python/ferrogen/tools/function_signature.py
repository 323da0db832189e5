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
        call: A function or a partial; ``Annotated`` is kept.

    Raises:
        ToolSchemaError: A parameter has no annotation.
        NameError: An annotation names something that its module does not have.
    """
    signature = inspect.signature(call)
    function = call.func if isinstance(call, partial) else call
    hints = get_type_hints(function, include_extras=True)
    for name in signature.parameters:
        if name not in hints:
            raise ToolSchemaError(
                f"parameter {name!r} of {_name(function)} has no annotation; annotate it, as the"
                " model is told its type"
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
