"""Descriptions in ``Annotated``, in terms of pydantic."""

import typing
from types import GenericAlias, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typing_extensions
from pydantic import Field
from pydantic.fields import FieldInfo

from ferrogen.exceptions import ToolSchemaError

_UNIONS = (Union, UnionType)
_ALIASES = tuple(
    module.TypeAliasType
    for module in (typing, typing_extensions)
    if hasattr(module, "TypeAliasType")
)
# Values beside a type that can only be meant as a description.
_PLAIN = (bool, bytes, complex, dict, float, int, list, set, tuple)


def split_description(annotation: Any, parameter: str) -> tuple[Any, str | None]:
    """Separate the description of a parameter from its type.

    The description is the first text in the ``Annotated``, or in one member of a union. A text
    further inside, such as that of the items of a list, becomes a pydantic ``Field`` there.

    Args:
        annotation: The resolved annotation.
        parameter: The name of the parameter, for the error.

    Returns:
        The annotation without the text, and the text.

    Raises:
        ToolSchemaError: A plain value that is not text stands in the place of the description.
    """
    annotation = _unaliased(annotation)
    if get_origin(annotation) is Annotated:
        first = annotation.__metadata__[0]
        if isinstance(first, _PLAIN):
            raise ToolSchemaError(
                f"Invalid description {first!r} for parameter {parameter}, should be a string."
            )
    kind, text = _split(annotation)
    if text is not None or get_origin(kind) not in _UNIONS:
        return _described_inside(kind), text
    members = [_split(member) for member in get_args(kind)]
    texts = [inner or _field_description(member) for member, inner in members]
    given = [inner for inner in texts if inner is not None]
    if len(given) != 1:
        return _described_inside(kind), None
    plain = [_described_inside(member) for member, _ in members]
    return Union[tuple(plain)], given[0]  # noqa: UP007 - as many as there are


def annotated(kind: Any, *metadata: Any) -> Any:
    """Add metadata to a type, in front of any that it has."""
    inner = getattr(kind, "__metadata__", ())
    form: Any = Annotated
    parts = (get_args(kind)[0] if inner else kind, *metadata, *inner)
    return form[parts] if len(parts) > 1 else kind


def _unaliased(annotation: Any) -> Any:
    while isinstance(annotation, _ALIASES) and get_origin(annotation.__value__) is Annotated:
        annotation = annotation.__value__
    return annotation


def _split(annotation: Any) -> tuple[Any, str | None]:
    """Take the texts out of an ``Annotated``, and return the first one."""
    if get_origin(annotation) is not Annotated:
        return annotation, None
    metadata = annotation.__metadata__
    texts = [item for item in metadata if isinstance(item, str)]
    documents = [getattr(item, "documentation", None) for item in metadata]  # PEP 727
    texts += [text for text in documents if isinstance(text, str)]
    kept = tuple(item for item in metadata if not isinstance(item, str))
    kind = get_args(annotation)[0]
    return annotated(kind, *kept), texts[0] if texts else None


def _field_description(annotation: Any) -> str | None:
    metadata = getattr(annotation, "__metadata__", ())
    fields = [item for item in metadata if isinstance(item, FieldInfo)]
    return next((field.description for field in fields if field.description), None)


def _described_inside(annotation: Any) -> Any:
    """Turn the texts below the top of an annotation into fields with a description."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner = _described_inside(arguments[0])
        return annotated(inner, *annotation.__metadata__)
    if origin is None or origin is Literal:
        return annotation
    described = tuple(_with_field(argument) for argument in arguments)
    if described == arguments:
        return annotation
    if origin in _UNIONS:
        return Union[described]  # noqa: UP007 - as many as there are
    if isinstance(annotation, GenericAlias):
        return GenericAlias(origin, described)
    return annotation.copy_with(described)


def _with_field(argument: Any) -> Any:
    if get_origin(argument) is None:
        return argument
    kind, text = _split(argument)
    inner = _described_inside(kind)
    return inner if text is None else Annotated[inner, Field(description=text)]
