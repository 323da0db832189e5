"""The context of a tool call: caller, conversation, cancellation, deadline, progress, logger."""

import asyncio
import logging
import re
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from ferrogen._annotations import signature_of
from ferrogen._core import AgentId, CancellationToken
from ferrogen.messaging.handler_context import CONVERSATION, MESSAGE_HANDLER_CONTEXT
from ferrogen.messaging.topic import TopicId
from ferrogen.telemetry.names import ROOT_LOGGER_NAME
from ferrogen.tools.call_log import LOG_SINK, LogSink, SinkLogger


@dataclass(frozen=True)
class ToolProgress:
    """A report of a tool that is running.

    Example:
        ```python
        from ferrogen.tools import ToolProgress

        assert ToolProgress("download", done=3, total=4).share == 0.75
        ```
    """

    tool: str
    done: float
    total: float | None = None
    message: str = ""
    call_id: str | None = None

    @property
    def share(self) -> float | None:
        """The part that is done, from 0 to 1; None if the total is unknown."""
        return self.done / self.total if self.total else None


ProgressListener = Callable[[ToolProgress], object]


@dataclass(frozen=True)
class Origin:
    """Where a call comes from, as far as a message says so."""

    caller: AgentId | None = None
    topic: TopicId | None = None


_CONTEXT = re.compile(r"\bToolContext\b")
_UNKNOWN = Origin()
ORIGIN: ContextVar[Origin | None] = ContextVar("ferrogen_tool_origin", default=None)
DEADLINE: ContextVar[float | None] = ContextVar("ferrogen_tool_deadline", default=None)
CHARGE: ContextVar[Callable[[float], None] | None] = ContextVar("ferrogen_charge", default=None)
_LISTENERS: ContextVar[tuple[ProgressListener, ...]] = ContextVar("ferrogen_progress", default=())


@contextmanager
def tool_progress(listener: ProgressListener) -> Generator[None, None, None]:
    """Call a function with the progress of the tools that run inside a ``with`` block.

    Args:
        listener: Is called in the event loop, also for tools that run in threads.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import ToolContext, tool, tool_progress


        @tool
        async def copy_files(count: int, context: ToolContext) -> int:
            '''Copy files.'''
            for number in range(count):
                context.progress(number + 1, count)
            return count


        shares: list[float | None] = []
        with tool_progress(lambda report: shares.append(report.share)):
            asyncio.run(copy_files.run_json({"count": 2}))
        assert shares == [0.5, 1.0]
        ```
    """
    token = _LISTENERS.set((*_LISTENERS.get(), listener))
    try:
        yield
    finally:
        _LISTENERS.reset(token)


@dataclass(eq=False)
class ToolContext:
    """The context of a call: a parameter with this annotation gets it, and models do not see it.

    Synchronous functions can use it in their thread. For tests it can be created with the name of
    the tool alone.

    Args:
        tool: The name of the tool.
        call_id: The id that the model gave to the call.
        caller: The agent that calls; None outside message handlers.
        conversation: What `ferrogen.models.usage.conversation` names; else the source of the topic
            of the message, else the key of the caller.
        topic: The topic of the message that led to the call, if a `ToolAgent` got one.
        cancellation_token: The token of the call.
        deadline: When the call is cancelled, by the clock ``time.monotonic``.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import FunctionTool, ToolContext


        def add(a: int, b: int, context: ToolContext) -> int:
            context.logger.info("adding")
            assert context.call_id == "call-1" and not context.cancelled
            return a + b


        tool = FunctionTool(add, "Adds.")
        assert list(tool.schema["parameters"]["properties"]) == ["a", "b"]
        assert asyncio.run(tool.run_json({"a": 1, "b": 2}, call_id="call-1")) == 3
        ```
    """

    __module__ = "ferrogen.tools"

    tool: str
    call_id: str | None = None
    caller: AgentId | None = None
    conversation: str | None = None
    topic: TopicId | None = None
    cancellation_token: CancellationToken = field(default_factory=CancellationToken)
    deadline: float | None = None
    _given_up: bool = field(default=False, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = field(default=None, init=False, repr=False)
    _listeners: tuple[ProgressListener, ...] = field(default=(), init=False, repr=False)
    _charge: Callable[[float], None] | None = field(default=None, init=False, repr=False)
    _sink: LogSink | None = field(default=None, init=False, repr=False)

    @classmethod
    def of_call(
        cls, tool: str, call_id: str | None, token: CancellationToken, timeout: float | None
    ) -> "ToolContext":
        """Create the context of a call that begins now, in the event loop.

        Args:
            tool: The name of the tool.
            call_id: The id that the model gave to the call.
            token: The token of the call.
            timeout: The seconds after which the tool itself cancels the call.
        """
        limits = [] if timeout is None else [time.monotonic() + timeout]
        outer = DEADLINE.get()
        if outer is not None:
            limits.append(outer)
        caller, topic, conversation = origin_of_call()
        context = cls(
            tool, call_id, caller, conversation, topic, token, min(limits) if limits else None
        )
        context._loop = asyncio.get_running_loop()
        context._listeners = _LISTENERS.get()
        context._charge, context._sink = CHARGE.get(), LOG_SINK.get()
        return context

    @property
    def cancelled(self) -> bool:
        """Whether the caller does not need the result any more: it was cancelled, or timed out."""
        return self._given_up or self.cancellation_token.is_cancelled()

    @property
    def remaining(self) -> float | None:
        """The seconds until the deadline, not below 0; None if there is no deadline."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    @cached_property
    def logger(self) -> "logging.LoggerAdapter[logging.Logger]":
        """A logger with the name of the tool; its records have the fields of the call."""
        fields = {
            "tool": self.tool,
            "call_id": self.call_id,
            "caller": None if self.caller is None else str(self.caller),
            "conversation": self.conversation,
        }
        logger = logging.getLogger(f"{ROOT_LOGGER_NAME}.tools.{self.tool}")
        if self._sink is not None:
            return SinkLogger(logger, fields, self._sink, self._loop)
        return logging.LoggerAdapter(logger, fields)

    def progress(self, done: float, total: float | None = None, message: str = "") -> None:
        """Report progress to the listeners of `tool_progress`, from any thread.

        Args:
            done: How much is done.
            total: How much there is to do, if that is known.
            message: The current activity.
        """
        if not self._listeners:
            return
        report = ToolProgress(self.tool, done, total, message, self.call_id)
        try:
            here: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            here = None
        if here is self._loop or self._loop is None:
            self._notify(report)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._notify, report)

    def charge(self, cost: float) -> None:
        """Add a cost that is only known while the tool runs to the budgets of the guards.

        Args:
            cost: The cost, not negative, in the unit of the budgets.

        Raises:
            ToolBudgetError: A budget is exceeded. The cost counts all the same.
        """
        if self._charge is not None:
            self._charge(cost)

    def give_up(self) -> None:
        """Set `cancelled`: the caller has stopped waiting."""
        self._given_up = True

    def _notify(self, report: ToolProgress) -> None:
        for listener in self._listeners:
            listener(report)


def origin_of_call() -> tuple[AgentId | None, TopicId | None, str | None]:
    """Return the caller, the topic and the conversation of a call in the current context."""
    origin = ORIGIN.get() or _UNKNOWN
    caller = origin.caller or MESSAGE_HANDLER_CONTEXT.get(None)
    conversation = CONVERSATION.get(None)
    if conversation is None and origin.topic is not None:
        conversation = origin.topic.source
    if conversation is None and caller is not None:
        conversation = caller.key
    return caller, origin.topic, conversation


def context_parameter(method: Callable[..., Any]) -> str | None:
    """Return the name of the parameter of a method that gets the context of the call."""
    hints: dict[str, Any] = {}
    with suppress(Exception):  # what cannot be resolved is found by its text
        hints = get_type_hints(method, include_extras=True)
    for name, parameter in signature_of(method).parameters.items():
        annotation = hints.get(name, parameter.annotation)
        text = getattr(annotation, "__forward_arg__", annotation)
        is_named = isinstance(text, str) and _CONTEXT.search(text) is not None
        if is_named or is_context(annotation):
            return name
    return None


def is_context(annotation: Any) -> bool:
    """Whether a parameter with this annotation gets the context of the call."""
    if get_origin(annotation) is Annotated:
        return is_context(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        members = [kind for kind in get_args(annotation) if kind is not type(None)]
        return len(members) == 1 and is_context(members[0])
    return isinstance(annotation, type) and issubclass(annotation, ToolContext)
