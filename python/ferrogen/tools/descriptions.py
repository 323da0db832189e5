"""Descriptions of a function and its parameters: in ``Annotated``, and in its docstring."""

import re
import typing
from collections.abc import Iterator
from inspect import cleandoc
from types import GenericAlias, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typing_extensions
from pydantic import Field
from pydantic.fields import FieldInfo

from ferrogen.exceptions import ToolSchemaError

# Headings of Google's and numpy's styles; a line of dashes follows those of numpy.
_PARAMETERS = ("args", "arguments", "parameters", "params", "keyword args", "keyword arguments")
_OTHERS = (
    *("attributes", "example", "examples", "note", "notes", "raises", "references", "return"),
    *("returns", "see also", "todo", "warning", "warnings", "warns", "yield", "yields"),
)
_GOOGLE_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?:\([^)]*\))?\s*:\s*(.*)")
_NUMPY_ENTRY = re.compile(r"\*{0,2}(\w+)\s*(?::.*)?$")
_FIELD = re.compile(r"[:@](\w+)(?:\s+[^:]*?(\w+))?\s*:\s*(.*)")


def read_docstring(docstring: str) -> tuple[str, dict[str, str]]:
    """Read the docstring of a function in Google's, numpy's or Sphinx's style.

    Args:
        docstring: The docstring, as it is in the source.

    Returns:
        The text before the first section, and the descriptions of parameters by name.
    """
    text: list[str] = []
    parameters: dict[str, list[str]] = {}
    for section, lines in _sections(cleandoc(docstring).splitlines()):
        if section is None:
            text += _without_fields(lines, parameters)
        elif section in _PARAMETERS:
            _read_entries(lines, parameters)
    described = {name: " ".join(" ".join(lines).split()) for name, lines in parameters.items()}
    return "\n".join(text).strip(), {name: words for name, words in described.items() if words}


def _sections(lines: list[str]) -> Iterator[tuple[str | None, list[str]]]:
    """Split a docstring at its headings; the text before the first has none."""
    heading: str | None = None
    content: list[str] = []
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        title = _title(line, following)
        if title is not None:
            yield heading, content
            heading, content = title, []
        elif not (heading is not None and not content and set(line.strip()) == {"-"}):
            content.append(line)
    yield heading, content


def _title(line: str, following: str) -> str | None:
    underlined = set(following.strip()) == {"-"}
    name = line.strip().lower()
    if line[:1].isspace() or not (name.endswith(":") or underlined):
        return None
    name = name.removesuffix(":")
    return name if name in _PARAMETERS or name in _OTHERS else None


def _read_entries(lines: list[str], parameters: dict[str, list[str]]) -> None:
    """Read entries, each of which begins at the least indentation."""
    indents = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    least = min(indents, default=0)
    name = None
    for line in lines:
        begins = line.strip() and len(line) - len(line.lstrip()) == least
        entry = _GOOGLE_ENTRY.match(line.strip()) if begins and least else None
        named = _NUMPY_ENTRY.match(line.strip()) if begins and not least else None
        if entry:
            name = entry[1]
            parameters[name] = [entry[2]]
        elif named:
            name = named[1]
            parameters[name] = []
        elif name is not None:
            parameters[name].append(line)


def _without_fields(lines: list[str], parameters: dict[str, list[str]]) -> Iterator[str]:
    """Yield the lines before the first field of Sphinx, and read its ``:param name:`` fields."""
    in_fields, name = False, None
    for line in lines:
        field = _FIELD.match(line)
        if field:
            in_fields = True
            name = field[2] if field[1] in {"param", "parameter", "arg", "argument"} else None
            if name is not None:
                parameters[name] = [field[3]]
        elif in_fields and name is not None and line[:1].isspace():
            parameters[name].append(line)
        elif not in_fields:
            yield line


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
