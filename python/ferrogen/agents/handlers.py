"""Decorators that turn methods into message handlers."""

from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from typing import Any, Literal, Protocol, TypeVar, overload, runtime_checkable

from typing_extensions import Self

from ferrogen.agents.handler_building import decorate
from ferrogen.messaging.message_context import MessageContext

# Covariant, so that a handler of a subclass overrides that of its base, as a method does.
HandlingT = TypeVar("HandlingT", covariant=True)  # noqa: PLC0105 - upstream's name
HandledT = TypeVar("HandledT", contravariant=True)  # noqa: PLC0105 - the same
ReturnedT = TypeVar("ReturnedT", covariant=True)  # noqa: PLC0105 - the same


class _Handler(Protocol[HandledT]):
    """What the decorators add to a method."""

    @property
    def target_types(self) -> Sequence[type]: ...

    @property
    def produces_types(self) -> Sequence[type]: ...

    @property
    def is_message_handler(self) -> Literal[True]: ...

    @property
    def router(self) -> Callable[[HandledT, MessageContext], bool]: ...


class _BoundHandler(_Handler[HandledT], Protocol[HandledT, ReturnedT]):
    """A handler of one agent, which calls it as a method: for itself, or by `super`."""

    def __call__(
        self, message: HandledT, ctx: MessageContext, /
    ) -> Coroutine[Any, Any, ReturnedT]: ...


@runtime_checkable
class MessageHandler(_Handler[HandledT], Protocol[HandlingT, HandledT, ReturnedT]):
    """A method that handles messages, as the decorators leave it."""

    @staticmethod
    async def __call__(agent_instance: Any, message: HandledT, ctx: MessageContext) -> ReturnedT:
        """Handle a message on behalf of an agent."""
        ...

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...
    @overload
    def __get__(
        self, instance: object, owner: type[Any] | None = None
    ) -> _BoundHandler[HandledT, ReturnedT]: ...
    def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
        """Return the handler of one agent."""
        ...


_Method = Callable[[HandlingT, HandledT, MessageContext], Coroutine[Any, Any, ReturnedT]]
_Decorator = Callable[
    [_Method[HandlingT, HandledT, ReturnedT]], MessageHandler[HandlingT, HandledT, ReturnedT]
]
_Stream = Callable[[HandlingT, HandledT, MessageContext], AsyncIterator[Any]]
_Match = Callable[[HandledT, MessageContext], bool]


@overload
def message_handler(
    func: _Method[HandlingT, HandledT, ReturnedT],
) -> MessageHandler[HandlingT, HandledT, ReturnedT]: ...


@overload
def message_handler(
    func: _Stream[HandlingT, HandledT],
) -> MessageHandler[HandlingT, HandledT, None]: ...


@overload
def message_handler(
    func: None = None,
    *,
    match: None = ...,
    strict: bool = ...,
) -> _Decorator[HandlingT, HandledT, ReturnedT]: ...


@overload
def message_handler(
    func: None = None,
    *,
    match: _Match[HandledT],
    strict: bool = ...,
) -> _Decorator[HandlingT, HandledT, ReturnedT]: ...


def message_handler(
    func: _Method[HandlingT, HandledT, ReturnedT] | _Stream[HandlingT, HandledT] | None = None,
    *,
    strict: bool = True,
    match: _Match[HandledT] | None = None,
) -> _Decorator[HandlingT, HandledT, ReturnedT] | MessageHandler[HandlingT, HandledT, Any]:
    """Make a method of a `RoutedAgent` handle messages, whether sent or published.

    The method is async and takes the agent, the message and its `MessageContext`. The annotation
    of the message says which types it handles (one type or a union), that of the return value
    which types it responds with. An async generator streams its response, as with `stream`.

    Example:
        ```python
        from ferrogen import MessageContext, RoutedAgent, message_handler


        def is_number(text: str, ctx: MessageContext) -> bool:
            return text.isdigit()


        class Calculator(RoutedAgent):
            @message_handler
            async def on_number(self, number: int | float, ctx: MessageContext) -> float:
                return number * 2.0

            @message_handler(match=is_number)
            async def on_text(self, text: str, ctx: MessageContext) -> float:
                return float(text) * 2.0
        ```

    Args:
        func: The method, when used without parentheses.
        strict: Whether a message or response of an undeclared type is an error; otherwise a
            warning is logged.
        match: Gets a message of the right type and its context, and returns whether this handler
            accepts it. The handlers of one type are tried in alphabetical order of their names;
            the first that accepts the message is called.

    Returns:
        The handler, or the decorator.

    Raises:
        TypeError: The method has an invalid signature.
    """
    return decorate("message handler", func, strict, match)  # type: ignore[no-any-return]


@overload
def event(
    func: _Method[HandlingT, HandledT, None],
) -> MessageHandler[HandlingT, HandledT, None]: ...


@overload
def event(
    func: None = None,
    *,
    match: None = ...,
    strict: bool = ...,
) -> _Decorator[HandlingT, HandledT, None]: ...


@overload
def event(
    func: None = None,
    *,
    match: _Match[HandledT],
    strict: bool = ...,
) -> _Decorator[HandlingT, HandledT, None]: ...


def event(
    func: _Method[HandlingT, HandledT, None] | None = None,
    *,
    strict: bool = True,
    match: _Match[HandledT] | None = None,
) -> _Decorator[HandlingT, HandledT, None] | MessageHandler[HandlingT, HandledT, None]:
    """Make a method of a `RoutedAgent` handle published messages only; it returns nothing.

    Example:
        ```python
        from ferrogen import MessageContext, RoutedAgent, event


        class Listener(RoutedAgent):
            @event
            async def on_news(self, news: str, ctx: MessageContext) -> None:
                print(news)
        ```

    Args:
        func: The method, when used without parentheses.
        strict: Whether a message of another type, or a response, is an error; otherwise a
            warning is logged.
        match: Whether this handler accepts a message; see `message_handler`.

    Returns:
        The handler, or the decorator.

    Raises:
        TypeError: The method has an invalid signature.
    """
    return decorate("event handler", func, strict, match)  # type: ignore[no-any-return]


@overload
def rpc(
    func: _Method[HandlingT, HandledT, ReturnedT],
) -> MessageHandler[HandlingT, HandledT, ReturnedT]: ...


@overload
def rpc(
    func: _Stream[HandlingT, HandledT],
) -> MessageHandler[HandlingT, HandledT, None]: ...


@overload
def rpc(
    func: None = None,
    *,
    match: None = ...,
    strict: bool = ...,
) -> _Decorator[HandlingT, HandledT, ReturnedT]: ...


@overload
def rpc(
    func: None = None,
    *,
    match: _Match[HandledT],
    strict: bool = ...,
) -> _Decorator[HandlingT, HandledT, ReturnedT]: ...


def rpc(
    func: _Method[HandlingT, HandledT, ReturnedT] | _Stream[HandlingT, HandledT] | None = None,
    *,
    strict: bool = True,
    match: _Match[HandledT] | None = None,
) -> _Decorator[HandlingT, HandledT, ReturnedT] | MessageHandler[HandlingT, HandledT, Any]:
    """Make a method of a `RoutedAgent` handle sent messages only, whose sender awaits a response.

    Example:
        ```python
        from ferrogen import MessageContext, RoutedAgent, rpc


        class Calculator(RoutedAgent):
            @rpc
            async def on_number(self, number: int, ctx: MessageContext) -> int:
                return number * 2
        ```

    Args:
        func: The method, when used without parentheses.
        strict: Whether a message or response of an undeclared type is an error; otherwise a
            warning is logged.
        match: Whether this handler accepts a message; see `message_handler`.

    Returns:
        The handler, or the decorator.

    Raises:
        TypeError: The method has an invalid signature.
    """
    return decorate("rpc handler", func, strict, match)  # type: ignore[no-any-return]
