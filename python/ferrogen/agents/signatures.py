"""Message and response types from the signature of a handler or closure."""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Callable, Coroutine, Sequence
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from ferrogen._annotations import closed_over, names_around, signature_of

__all__ = ["is_coroutine_function"]


class AnyType:
    """Stands for ``typing.Any`` among types: before Python 3.11 ``Any`` is not a class."""


def is_union(t: object) -> bool:
    """Whether an annotation is a union, in either spelling."""
    return get_origin(t) in (Union, UnionType)


def get_types(t: object) -> Sequence[type[Any]] | None:
    """List the types that an annotation allows.

    Args:
        t: A type, a union of types, None or ``Any``; already resolved, not a string.

    Returns:
        The types; ``AnyType`` for ``Any``; None for any other annotation.
    """
    if is_union(t):
        return get_args(t)
    if t is Any:
        return (AnyType,)
    if isinstance(t, type) and get_origin(t) is None:  # before 3.11 list[int] is a type, too
        return (t,)
    if t is None:
        return (NoneType,)
    return None


def allows_anything(types: Sequence[type[Any]]) -> bool:
    """Whether ``Any`` is among the types that ``get_types`` listed."""
    return AnyType in types or Any in types


F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])


def is_coroutine_function(function: F) -> F:
    """Mark a function as a coroutine function for `iscoroutinefunction`.

    `unittest.mock` checks it, to create an `AsyncMock`. Before 3.12 only `asyncio` has such a mark,
    not `inspect`.
    """
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


class MessageSignature(NamedTuple):
    """The message types and the response types of a function."""

    target_types: Sequence[type[Any]]
    produces_types: Sequence[type[Any]]


def read_signature(
    func: Callable[..., Any], kind: str, *, in_class_body: bool = False, is_stream: bool = False
) -> MessageSignature:
    """Read the message types and response types of ``async def f(self, message, ctx)``.

    The parameters may have any names: the second one is the message. An async generator, whose
    parts are not checked, responds with None at the end.

    Args:
        func: The handler or closure.
        kind: Its name in errors, as in "message handler".
        in_class_body: Whether the class it belongs to is being defined by a caller, so that
            names local to that class or to the functions around it can be seen.
        is_stream: Whether it must be an async generator.

    Returns:
        Its types; none for a type variable of an abstract method.

    Raises:
        TypeError: It is not async, does not take three arguments, or lacks an annotation that
            names types; or it is an async generator and must not be one, or the other way round.
    """
    function = _underlying_function(func)
    name = f'{kind} "{getattr(function, "__qualname__", function)}"'
    is_generator = inspect.isasyncgenfunction(func) or inspect.isasyncgenfunction(function)
    if is_stream and not is_generator:
        raise TypeError(f'{name} is not an async generator: it needs "async def" and "yield"')
    if is_generator and not is_stream:
        raise TypeError(
            f"{name} is an async generator, which only a handler of sent messages can be: decorate "
            "it with @stream, @rpc or @message_handler"
        )
    is_coroutine = inspect.iscoroutinefunction(func) or inspect.iscoroutinefunction(function)
    if not (is_stream or is_coroutine):
        raise TypeError(f'{name} is not async: define it with "async def"')
    signature = signature_of(func)
    message = _message_parameter(signature)
    if message is None:
        raise TypeError(
            f"{name} must take exactly three arguments by position, the second one being the "
            f"message and the third its MessageContext; it takes {signature}"
        )
    resolve = functools.partial(_resolve, function, name, in_class_body)
    return MessageSignature(
        resolve(message.annotation, f'message parameter "{message.name}"'),
        (NoneType,) if is_stream else resolve(signature.return_annotation, "return value"),
    )


def _underlying_function(func: Any) -> Any:
    while True:
        if isinstance(func, functools.partial):
            func = func.func
        elif inspect.ismethod(func):
            func = func.__func__
        elif hasattr(func, "__wrapped__"):
            func = func.__wrapped__
        else:
            break
    if inspect.isfunction(func):
        return func
    return getattr(type(func), "__call__", func)  # noqa: B004 - the function itself is wanted


def _message_parameter(signature: inspect.Signature) -> inspect.Parameter | None:
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    positional = [p for p in signature.parameters.values() if p.kind in by_position]
    try:
        signature.bind(None, None, None)
    except TypeError:
        return None
    return positional[1] if len(positional) > 1 else None


def _resolve(
    function: Any, name: str, in_class_body: bool, annotation: Any, place: str
) -> Sequence[type[Any]]:
    if annotation is inspect.Parameter.empty:
        raise TypeError(
            f"the {place} of {name} has no annotation: annotate it with a type, a union of types, "
            "or None"
        )
    # A separate object, so that the other parameters need not be resolvable.
    holder = SimpleNamespace(__annotations__={"it": annotation})
    module_names = getattr(function, "__globals__", {})
    local_names = closed_over(function)
    try:
        try:
            hint = get_type_hints(holder, module_names, local_names)["it"]
        except NameError:
            if not in_class_body:
                raise
            local_names = {**names_around(function), **local_names}
            hint = get_type_hints(holder, module_names, local_names)["it"]
    except Exception as error:
        shown = getattr(annotation, "__forward_arg__", annotation)
        raise TypeError(
            f"the annotation {shown!r} of the {place} of {name} cannot be resolved ({error}): "
            "it must name a type that can be seen when the function is read; define or import the "
            'type at the top of the module, outside of "if TYPE_CHECKING", or leave out '
            '"from __future__ import annotations" there'
        ) from error
    if isinstance(hint, TypeVar) and getattr(function, "__isabstractmethod__", False):
        return ()  # the method that overrides it says which
    types = get_types(hint)
    if types is None:
        raise TypeError(
            f"the annotation {annotation!r} of the {place} of {name} is not a type: messages are "
            "dispatched by their class, so use a class, a union of classes, or None"
        )
    return types
