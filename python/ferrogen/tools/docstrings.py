"""Descriptions of a function and its parameters in its docstring."""

import re
from collections.abc import Iterator
from inspect import cleandoc

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
