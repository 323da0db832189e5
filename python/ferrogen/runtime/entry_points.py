"""Entry points: the callables that handle the messages of an agent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import FunctionType
from typing import Any, TypeAlias

from ferrogen._core import Handlers
from ferrogen.agents.base import BaseAgent
from ferrogen.agents.routed import RoutedAgent
from ferrogen.messaging.message_context import MessageContext
from ferrogen.runtime.protocols import Agent

__all__ = ["EntryPoint", "Invoke", "entry_point_of", "invoked_by"]

# The handlers of an agent's class; the function of the class that its `on_message` would call; or
# None, for `on_message` itself.
EntryPoint: TypeAlias = Handlers | FunctionType | None
Invoke: TypeAlias = Callable[[Any, Any, MessageContext], Awaitable[Any]]


def entry_point_of(agent: Agent) -> EntryPoint:
    """The callables that handle the messages of an agent."""
    cls: type[Any] = type(agent)
    if getattr(cls, "on_message", None) is not BaseAgent.on_message:
        return None
    if "on_message" in vars(agent) or "on_message_impl" in vars(agent):
        return None
    implementation = cls.on_message_impl
    if implementation is not RoutedAgent.on_message_impl:
        return implementation if isinstance(implementation, FunctionType) else None
    return _handlers_of(cls) or RoutedAgent.on_message_impl


def invoked_by(entry_point: EntryPoint) -> Invoke:
    """A function that does what the engine does with an entry point."""
    if entry_point is None:
        return _call_on_message
    return RoutedAgent.on_message_impl if isinstance(entry_point, Handlers) else entry_point


async def _call_on_message(agent: Agent, message: Any, ctx: MessageContext) -> Any:
    return await agent.on_message(message, ctx=ctx)


def _handlers_of(cls: type[RoutedAgent]) -> Handlers | None:
    """The handlers of a class; None if one of them does more than its plan."""
    # An attribute of the class itself, not inherited, and freed with it.
    known: Handlers | None = vars(cls).get("_native_handlers")
    if known is not None:
        return known
    described = []
    for message_type, handlers in cls._make_handler_table().items():
        plans = [getattr(handler, "plan", None) for handler in handlers]
        for handler, plan in zip(handlers, plans, strict=True):
            # A handler made without our decorators has no plan. A wrapper made with functools.wraps
            # has the plan of the handler that it wraps.
            if plan is None or getattr(handler, "__wrapped__", None) is not plan.function:
                return None
        described.append((message_type, plans))
    made = Handlers(described)
    cls._native_handlers = made
    return made
