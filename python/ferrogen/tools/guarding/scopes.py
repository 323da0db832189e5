"""Which guards a call passes: those of the process, the runtime, the conversation, the object."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from ferrogen.messaging.handler_context import MESSAGE_HANDLER_CONTEXT
from ferrogen.tools.context import origin_of_call

if TYPE_CHECKING:
    from ferrogen.tools.guarding.guard import Guard

in_use = False
"""Whether there ever was a guard; calls look no further otherwise."""

everywhere: "list[Guard]" = []
"""The guards of the process."""

RUNTIME: "ContextVar[tuple[Guard, ...]]" = ContextVar("ferrogen_runtime_guards", default=())
_CONVERSATION: "ContextVar[tuple[Guard, ...]]" = ContextVar("ferrogen_tool_guards", default=())

# The blocks that are open now: thread, guard, and the name of the conversation. Handlers of a
# runtime that was started outside of them do not have their context.
_open: "list[tuple[int, Guard, str | None]]" = []
# The guards of calls that are messages to a tool agent, by the identity of the message.
_carried: "dict[int, tuple[Guard, ...]]" = {}


def enter(guard: "Guard", conversation: str | None) -> None:
    """Begin a block."""
    _CONVERSATION.set((*_CONVERSATION.get(), guard))
    _open.append((threading.get_ident(), guard, conversation))


def leave(guard: "Guard", conversation: str | None) -> None:
    """End a block."""
    guards = list(_CONVERSATION.get())
    if guard in guards:
        guards.reverse()
        guards.remove(guard)  # the innermost block of it
        guards.reverse()
    _CONVERSATION.set(tuple(guards))
    entry = (threading.get_ident(), guard, conversation)
    if entry in _open:
        _open.remove(entry)


def guards_of(attached: "tuple[Guard, ...]") -> "tuple[Guard, ...]":
    """Return the guards of a call in the current context, each once, the outermost first.

    Args:
        attached: The guards of the tool or the workbench itself.
    """
    conversation = _CONVERSATION.get()
    if not conversation and _open:
        conversation = _blocks_around()
    found = (*everywhere, *RUNTIME.get(), *conversation, *attached)
    return tuple(dict.fromkeys(found))


@contextmanager
def carry(*messages: Any) -> Generator[None, None, None]:
    """Let the guards of this context guard calls that are sent as messages inside the block."""
    guards = _CONVERSATION.get()
    if not guards:
        yield
        return
    for message in messages:
        _carried[id(message)] = guards
    try:
        yield
    finally:
        for message in messages:
            _carried.pop(id(message), None)


@contextmanager
def carried(message: Any) -> Generator[None, None, None]:
    """Guard calls inside the block as the message says."""
    guards = _carried.get(id(message)) if _carried else None
    if guards is None:
        yield
        return
    token = _CONVERSATION.set(guards)
    try:
        yield
    finally:
        _CONVERSATION.reset(token)


def _blocks_around() -> "tuple[Guard, ...]":
    """Return the guards of open blocks, for a handler that runs outside of them."""
    if MESSAGE_HANDLER_CONTEXT.get(None) is None:
        return ()
    thread, (_, _, conversation) = threading.get_ident(), origin_of_call()
    return tuple(
        guard for owner, guard, name in _open if owner == thread and name in {None, conversation}
    )
