"""Handler construction, shared by the four decorators: type checks and a router."""

import inspect
import logging
from collections.abc import Callable, Coroutine, Sequence
from functools import wraps
from types import NoneType
from typing import Any, Literal, NamedTuple

from ferrogen.agents.signatures import allows_anything, read_signature
from ferrogen.agents.stream_serving import served
from ferrogen.exceptions import CantHandleException
from ferrogen.messaging.message_context import MessageContext
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

logger = logging.getLogger(ROOT_LOGGER_NAME)

HandlerKind = Literal["message handler", "event handler", "rpc handler", "stream handler"]


_WANTS_RPC: dict[HandlerKind, bool | None] = {
    "message handler": None,
    "event handler": False,
    "rpc handler": True,
    "stream handler": True,
}


class HandlerPlan(NamedTuple):
    """The parts of a decorated handler that the extension carries out itself."""

    function: Callable[[Any, Any, MessageContext], Coroutine[Any, Any, Any]]
    """The method as it was written."""
    wants_rpc: bool | None
    """Whether it accepts sent messages (True), published messages (False), or both (None)."""
    match: Callable[[Any, MessageContext], bool] | None
    """The condition given by the user."""
    response_types: tuple[type[Any], ...] | None
    """The types that it may return; None means any."""
    judge: Callable[[Any], Any]
    """Called with a response of another type."""


def decorate(
    kind: HandlerKind,
    func: object,
    strict: bool,
    match: Callable[[Any, MessageContext], bool] | None,
) -> Any:
    """Turn a method into a handler of some kind, or return a decorator.

    Args:
        kind: The kind of handler.
        func: The method, or None for a decorator.
        strict: Whether a message or response of an undeclared type is an error.
        match: Whether the handler accepts a message.

    Returns:
        The handler, or the decorator.

    Raises:
        TypeError: The method cannot be such a handler.
        ValueError: ``func`` is not callable.
    """
    if func is None:
        return lambda function: _build(kind, function, strict, match)
    if not callable(func):
        raise ValueError(f"Invalid arguments: a {kind} decorates a method, not {func!r}")
    return _build(kind, func, strict, match)


def _build(
    kind: HandlerKind,
    func: Callable[[Any, Any, MessageContext], Coroutine[Any, Any, Any]],
    strict: bool,
    match: Callable[[Any, MessageContext], bool] | None,
) -> Any:
    if kind in ("message handler", "rpc handler") and inspect.isasyncgenfunction(func):
        kind = "stream handler"
    is_stream = kind == "stream handler"
    signature = read_signature(func, kind, in_class_body=True, is_stream=is_stream)
    target_types, produces_types = signature
    if is_stream:
        func = served(func)
    is_event = kind == "event handler"
    allowed_responses: Sequence[type[Any]] = (NoneType,) if is_event else produces_types
    any_response = not is_event and allows_anything(produces_types)

    def report(error: Exception) -> None:
        if strict:
            raise error
        logger.warning("%s", error)

    def judge(response: Any) -> Any:
        """Report a response of an undeclared type, and return what the sender gets."""
        # AutoGen's words, which programs match on.
        if is_event:
            report(ValueError(f"Return type {type(response)} is not None."))
            return None
        report(ValueError(f"Return type {type(response)} not in return types {produces_types}"))
        return response

    @wraps(func)
    async def handler(self: Any, message: Any, ctx: MessageContext) -> Any:
        if type(message) not in target_types:
            report(
                CantHandleException(
                    f"the handler takes {target_types}, not a message of {type(message)}"
                )
            )
        response = await func(self, message, ctx)
        if any_response or type(response) in allowed_responses:
            return response
        return judge(response)

    built: Any = handler
    built.target_types = list(target_types)
    built.produces_types = list(produces_types)
    built.is_message_handler = True
    built.is_stream = is_stream
    built.router = _router(kind, match)
    built.plan = HandlerPlan(
        function=func,
        wants_rpc=_WANTS_RPC[kind],
        match=match,
        response_types=None if any_response else tuple(allowed_responses),
        judge=judge,
    )
    return built


def _router(
    kind: HandlerKind, match: Callable[[Any, MessageContext], bool] | None
) -> Callable[[Any, MessageContext], bool]:
    if kind == "message handler":
        return match or _takes_everything
    if _WANTS_RPC[kind]:
        if match is None:
            return _takes_rpc
        return lambda message, ctx: ctx.is_rpc and match(message, ctx)
    if match is None:
        return _takes_events
    return lambda message, ctx: not ctx.is_rpc and match(message, ctx)


def _takes_everything(_message: Any, _ctx: MessageContext) -> bool:
    return True


def _takes_rpc(_message: Any, ctx: MessageContext) -> bool:
    return ctx.is_rpc


def _takes_events(_message: Any, ctx: MessageContext) -> bool:
    return not ctx.is_rpc
