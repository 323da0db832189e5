"""Errors of arguments that do not fit a tool, with the path of each fault."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ferrogen.exceptions import FerrogenError

_ArgsT = TypeVar("_ArgsT", bound=BaseModel)
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


class ToolArgumentsError(FerrogenError, ValidationError):
    """The arguments of a call do not fit the tool, which was not run.

    It is pydantic's ``ValidationError``, whose ``errors()`` has the details. Its text has one line
    for each fault, which begins with the path of the value.

    Example:
        ```python
        import asyncio

        from pydantic import BaseModel, PositiveFloat

        from ferrogen.tools import ToolArgumentsError, tool


        class Item(BaseModel):
            price: PositiveFloat


        @tool
        def order(items: list[Item]) -> int:
            '''Order some items.'''
            return len(items)


        try:
            asyncio.run(order.run_json({"items": [{"price": 1.0}, {"price": -1.0}]}))
        except ToolArgumentsError as error:
            assert str(error) == "items[1].price: Input should be greater than 0"
        ```
    """

    __module__ = "ferrogen.tools"

    paths: Sequence[str] = ()
    """The path of each fault, in the order of ``errors()``."""

    def __str__(self) -> str:
        faults = self.errors(include_url=False, include_context=False, include_input=False)
        paths = self.paths or [_written(fault["loc"]) for fault in faults]
        return "\n".join(
            f"{path}: {fault['msg']}" if path else fault["msg"]
            for path, fault in zip(paths, faults, strict=True)
        )


def validated(model: type[_ArgsT], arguments: Mapping[str, Any]) -> _ArgsT:
    """Validate the arguments of a call.

    Raises:
        ToolArgumentsError: They do not fit.
    """
    try:
        return model.model_validate(arguments)
    except ValidationError as error:
        details: list[Any] = error.errors(include_url=False)
        failure = _made(error.title, details)
    failure.paths = [
        _written(_place(arguments, fault["loc"], is_missing=fault["type"] == "missing"))
        for fault in details
    ]
    raise failure


def _made(title: str, details: list[Any]) -> ToolArgumentsError:
    try:
        made: Any = ToolArgumentsError.from_exception_data(title, details)
    except (KeyError, TypeError, ValueError):  # of a kind that is not one of pydantic's
        faults = [
            InitErrorDetails(
                type=PydanticCustomError(fault["type"], fault["msg"]),
                loc=fault["loc"],
                input=fault["input"],
            )
            for fault in details
        ]
        made = ToolArgumentsError.from_exception_data(title, faults)
    error: ToolArgumentsError = made
    return error


def _place(
    arguments: Any, location: Sequence[int | str], *, is_missing: bool
) -> Iterator[int | str]:
    """Yield the parts of a location that are in the arguments.

    pydantic's locations also name the members of unions, and validators.
    """
    value = arguments
    for number, part in enumerate(location, start=1):
        if isinstance(value, Mapping):
            is_there = part in value
        elif isinstance(value, (list, tuple)):
            is_there = isinstance(part, int) and part < len(value)
        else:
            is_there = False
        if is_there:
            value = value[part]
        if is_there or (is_missing and number == len(location)):
            yield part


def _written(place: Iterable[int | str]) -> str:
    """Write a place as in Python: ``order.items[2].price``."""
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        elif _IDENTIFIER.fullmatch(part):
            path += f".{part}" if path else part
        else:
            path += f"[{part!r}]"
    return path
