"""The compiled half of Ferrogen: agent ids, subscription routing, and the dispatcher.

Users meet only [`AgentId`]; the rest is the boundary that `ferrogen._runtime` is written against.
A *ticket* is the number under which an accepted message is known until it is settled.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from types import GenericAlias
from typing import Any, Final, Generic, TypeVar, final

from opentelemetry.trace import Link
from typing_extensions import Self, disjoint_base

from ferrogen._agents.agent import Agent
from ferrogen._agents.agent_type import AgentType
from ferrogen._messaging.subscription import Subscription
from ferrogen._messaging.topic import TopicId
from ferrogen._serialization.native import DataclassCodec as DataclassCodec
from ferrogen._serialization.native import EnvelopeCodec as EnvelopeCodec
from ferrogen._serialization.native import JsonWriter as JsonWriter
from ferrogen._serialization.native import ModelCodec as ModelCodec
from ferrogen._serialization.native import SerializerTable as SerializerTable

_PayloadT = TypeVar("_PayloadT")

@disjoint_base
class AgentId:
    """The address of one agent: an agent type and a key.

    The type names the factory that makes the agent; the key tells the agents of one type apart.
    Ids are immutable, hashable, equal if both parts are, and can be pickled.

    Args:
        type: One or more word characters, hyphens and dots, or an `AgentType`.
        key: Any text.

    Raises:
        ValueError: If the type has other characters, or the key has lone surrogates.
        TypeError: If the type or the key is not text.

    Example:
        ```python
        from ferrogen import AgentId

        writer = AgentId("writer", "chapter-1")
        assert str(writer) == "writer/chapter-1"
        assert writer == AgentId.from_str("writer/chapter-1")
        ```
    """

    def __new__(cls, type: str | AgentType, key: str) -> Self: ...
    @classmethod
    def from_str(cls, agent_id: str) -> Self:
        """Read an id from its `type/key` form; the key may hold further slashes.

        Raises:
            ValueError: If there is no slash, or the type is not valid.
        """

    @property
    def type(self) -> str:
        """The agent type: which factory makes the agent."""

    @property
    def key(self) -> str:
        """The agent key: which of the agents of that type."""

    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take what was pickled beside the parts, or, of an id that upstream pickled, the parts.

        Raises:
            TypeError: The state of an id without parts has no type and key of text.
            ValueError: They are not valid.
        """

__version__: Final[str]
"""The version of the package."""

def is_valid_agent_type(value: str) -> bool:
    r"""Whether a text can be an agent type, that is, matches `^[\w\-\.]+\Z`."""

@disjoint_base
class CancellationToken:
    """Carries one wish, "stop", from whoever asked for work to whoever does it.

    May be cancelled from any thread, and touched freely from its own callbacks. Futures are
    linked to it from the thread of their own event loop.

    Example:
        ```python
        import asyncio

        from ferrogen import CancellationToken

        async def main() -> None:
            token = CancellationToken()
            task = asyncio.ensure_future(asyncio.Event().wait())
            token.link_future(task)
            token.cancel()
            try:
                await task
            except asyncio.CancelledError:
                print("stopped")

        asyncio.run(main())
        ```
    """

    def __new__(cls) -> Self: ...
    def cancel(self) -> None:
        """Cancel what is linked to this token and run its callbacks, in the order they were added.

        The second call does nothing. Should callbacks raise, the others still run, and the first
        error is raised at the end.
        """

    def is_cancelled(self) -> bool:
        """Tell whether `cancel` has been called."""

    @property
    def _callbacks(self) -> list[Any]: ...
    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call a function when the token is cancelled; at once if it is cancelled already.

        Args:
            callback: Called without arguments, in the thread that cancels.
        """

    def link_future(self, future: asyncio.Future[Any]) -> asyncio.Future[Any]:
        """Cancel a future or task when the token is cancelled; at once if it is cancelled already.

        A future that belongs to the loop of another thread is cancelled in that thread. One that
        settles is forgotten. Anything with asyncio's or concurrent.futures' `done`, `cancel`
        and `add_done_callback` will do. A coroutine is left alone: it runs inside whoever
        awaits it, and only that can be cancelled.

        Args:
            future: The pending work.

        Returns:
            The same future.
        """

@disjoint_base
class MessageContext:
    """What comes with a message: who sent it, how, and how to give up on it.

    To `dataclasses` it is a dataclass with these five fields. In a context that a runtime made, the
    token and the id come to be when they are first read.

    Args:
        sender: The agent that sent the message, or None when it came from outside.
        topic_id: The topic that the message was published to, or None when it was sent directly.
        is_rpc: Whether the sender waits for an answer.
        cancellation_token: Cancelled when the sender gives up on the message.
        message_id: Names this message in logs and traces.

    Example:
        ```python
        from ferrogen import CancellationToken, MessageContext, TopicId

        ctx = MessageContext(
            sender=None,
            topic_id=TopicId("orders", "shop-7"),
            is_rpc=False,
            cancellation_token=CancellationToken(),
            message_id="1",
        )
        assert not ctx.is_rpc
        ```
    """

    __match_args__ = ("sender", "topic_id", "is_rpc", "cancellation_token", "message_id")

    sender: AgentId | None
    topic_id: TopicId | None
    is_rpc: bool
    cancellation_token: CancellationToken
    message_id: str

    def __new__(
        cls,
        sender: AgentId | None,
        topic_id: TopicId | None,
        is_rpc: bool,
        cancellation_token: CancellationToken,
        message_id: str,
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __reduce__(self) -> tuple[Any, ...]: ...

@final
class Outcome:
    """How a message, or one delivery of it, ended."""

    HANDLED: Outcome
    """Its handler ran to the end; no answer is due."""
    ANSWERED: Outcome
    """Its handler's answer reached the sender, or the sender no longer waits."""
    DROPPED: Outcome
    """An intervention handler dropped it."""
    FAILED: Outcome
    """A handler, an intervention handler or the building of the agent raised."""
    DEAD_LETTERED: Outcome
    """It could not be delivered."""

    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __int__(self) -> int: ...

@final
class Routes:
    """Subscriptions, and the agents that a topic reaches.

    The built-in subscriptions are matched natively; a custom one is asked about every topic.
    """

    def __new__(cls) -> Self: ...
    def add(self, subscription: Subscription) -> None:
        """Add a subscription, last in the order of delivery.

        Raises:
            ValueError: If an equal one is there, or its agent type is not valid.
            TypeError: If it is not a subscription.
        """

    def remove(self, id: str) -> None:
        """Remove the subscription with this id.

        Raises:
            ValueError: If there is none.
        """

    def recipients(self, topic: TopicId) -> list[AgentId]:
        """Name the agents that hear a topic, in the order of subscribing, once a subscription."""

    @property
    def subscriptions(self) -> list[Subscription]:
        """All subscriptions, in the order of subscribing."""

    def __len__(self) -> int: ...

@final
class PublishEnvelope:
    """A published message on its way to whoever is subscribed to its topic; nobody waits.

    All its recipients share the token and the message's id, which are made when first read, unless
    they are given.

    Args:
        message: The message.
        topic_id: Its topic.
        sender: The agent that published it, or None when it came from outside.
        cancellation_token: The token that came with it.
        message_id: Its name in logs and traces.
        link: To the span that it was published in, for those that handle it.
    """

    def __new__(
        cls,
        message: Any,
        topic_id: TopicId,
        sender: AgentId | None,
        *,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
        link: Link | None = None,
    ) -> Self: ...

    message: Any
    """The message; interventions may put another in its place."""
    context: Context | None
    """Where its handlers run, if not in a copy of the runtime's context: inside its span."""

    @property
    def topic_id(self) -> TopicId:
        """Its topic."""

    @property
    def sender(self) -> AgentId | None:
        """The agent that published it."""

    @property
    def cancellation_token(self) -> CancellationToken:
        """The token that all its handlers see."""

    @property
    def message_id(self) -> str:
        """Its name in logs and traces."""

    @property
    def link(self) -> Link | None:
        """To the span that it was published in."""

    def message_context(self) -> MessageContext:
        """Make the context that one recipient, or an intervention, sees."""

@final
class Delivery(Generic[_PayloadT]):
    """A message to hand to an agent's handler now."""

    __match_args__ = ("agent_id", "agent", "ticket", "payload")

    def __class_getitem__(cls, key: Any) -> GenericAlias: ...
    @property
    def agent_id(self) -> AgentId:
        """Whose handler is to be called."""

    @property
    def agent(self) -> Agent:
        """The agent itself."""

    @property
    def ticket(self) -> int:
        """The ticket of the message."""

    @property
    def payload(self) -> _PayloadT:
        """What was accepted."""

@final
class Dispatcher(Generic[_PayloadT]):
    """The bookkeeping of one runtime: its inbox, its mailboxes, its ledger, its agents.

    It never calls Python; `ferrogen._runtime` asks it what to do and reports what came of it.
    After each call that may make work due (`admit`, `finish`, `answer`, `build`, `built`), the
    caller empties `step`.
    """

    def __new__(cls) -> Self: ...
    def __class_getitem__(cls, key: Any) -> GenericAlias: ...
    def accept(self, payload: _PayloadT) -> int:
        """Accept a message into the inbox. Returns its ticket."""

    def take(self) -> tuple[int, _PayloadT] | None:
        """Take the oldest message or answer out of the inbox."""

    def admit(
        self, ticket: int, payload: _PayloadT, recipients: list[AgentId]
    ) -> list[tuple[int, _PayloadT]]:
        """Give a message to its recipients; with none, it is settled as handled.

        Returns:
            The deliveries for which a mailbox had no room, not necessarily of this message.
            Each is still open and wants an `end`.

        Raises:
            RuntimeError: If the ticket is settled already (L1).
        """

    def step(self) -> Delivery[_PayloadT] | AgentId | None:
        """Take the next piece of work that is due: a delivery, or an agent to build."""

    def begun(self) -> None:
        """Report that the handler of a delivery has started, or never will; once for each (O1)."""

    def finish(self, agent_id: AgentId, ticket: int, outcome: Outcome) -> None:
        """Report that a handler ended and that no answer is to be sent.

        Raises:
            RuntimeError: If the ticket is settled already (L1), or no handler was running.
        """

    def answer(self, agent_id: AgentId, ticket: int, answer: _PayloadT) -> None:
        """Report that a handler ended with an answer, which goes into the inbox.

        Raises:
            RuntimeError: If the ticket is settled already (L1), or no handler was running.
        """

    def release(self, agent_id: AgentId, ticket: int) -> None:
        """Report that a handler ended of a message that stays open until its `end`.

        Raises:
            RuntimeError: If the ticket is settled already (L1), or no handler was running.
        """

    def end(self, ticket: int, outcome: Outcome) -> None:
        """End a message, or one delivery of it, for which no handler is running.

        Raises:
            RuntimeError: If the ticket is settled already (L1).
        """

    def drain(self) -> list[tuple[int, _PayloadT]]:
        """Take everything that no handler has begun. Each is still open and wants an `end`."""

    def limit(
        self,
        agent_type: str,
        *,
        concurrency: int | None,
        capacity: int | None,
        drop_oldest: bool,
    ) -> None:
        """Set what each agent of a type takes on; `None` is no limit."""

    def build(self, agent_id: AgentId) -> None:
        """Say that the caller is building an agent, without there being a message for it.

        Raises:
            RuntimeError: If it is there or is being built (A1).
        """

    def built(self, agent_id: AgentId, instance: Agent) -> None:
        """Report that an agent is made; its waiting messages become due.

        Raises:
            RuntimeError: If it was not being built (A1).
        """

    def build_failed(self, agent_id: AgentId) -> list[tuple[int, _PayloadT]]:
        """Report that an agent could not be made.

        Returns:
            The messages that waited for it. Each is still open and wants an `end`.

        Raises:
            RuntimeError: If it was not being built (A1).
        """

    def enter(self, agent_id: AgentId, instance: Agent) -> None:
        """Enter an agent that exists already.

        Raises:
            RuntimeError: If one with this id is there or is being built (A1).
        """

    def passivate(self, agent_id: AgentId) -> Agent | None:
        """Forget an agent that handles nothing and has nothing waiting; return it if so."""

    def instance(self, agent_id: AgentId) -> Agent | None:
        """The agent with this id, if it is there and not being built."""

    def instances(self) -> list[tuple[AgentId, Agent]]:
        """All agents that are there."""

    @property
    def waiting(self) -> int:
        """How many messages and answers nobody has got yet."""

    @property
    def open(self) -> int:
        """How many messages are accepted and not settled."""

    @property
    def idle(self) -> bool:
        """Whether nothing waits and no handler runs (L2)."""

    def tally(self) -> dict[str, int]:
        """How many messages were accepted, and how many ended in each way."""

@final
class Handlers:
    """The handlers of one agent class, as the drive calls them.

    Args:
        described: The types of message, each with the `HandlerPlan`s of the handlers that take it.
    """

    def __new__(cls, described: list[tuple[type[Any], list[Any]]]) -> Self: ...

@final
class Send(Coroutine[Any, Any, Any]):
    """What `send_message` and `publish_message` return: a coroutine, on the short cut if it can be.

    The first step of a send runs the handler; that of a publish puts the message into the inbox.

    Like any coroutine it does nothing until it is awaited, and warns if it never is.
    """

    def __await__(self) -> Generator[Any, Any, Any]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def send(self, value: Any) -> Any: ...
    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> Any: ...
    def close(self) -> None: ...

    # It is a future to `asyncio.gather`, and once its handler waits, to the task that awaits it.
    # Else these raise RuntimeError.
    _asyncio_future_blocking: bool | None
    @property
    def _cancel_message(self) -> Any: ...
    def _make_cancelled_error(self) -> asyncio.CancelledError | None: ...
    def _followed(self, one: asyncio.Future[Any]) -> None: ...
    def get_loop(self) -> asyncio.AbstractEventLoop: ...
    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def cancel(self, msg: Any = None) -> bool: ...
    def result(self) -> Any: ...
    def exception(self) -> BaseException | None: ...
    def add_done_callback(
        self, callback: Callable[[Any], object], *, context: Context | None = None
    ) -> None: ...
    def remove_done_callback(self, callback: Callable[[Any], object]) -> int: ...

@final
class DeliveryTask(asyncio.Task[Any]):
    """The task in which a handler runs that the drive has begun.

    It is an `asyncio.Task` that is initialised when an attribute of it is first read, or when its
    handler suspends.
    """

@final
class Drive:
    """The short cut of one runtime: handlers run inside their sender's `await`.

    Those of published messages run in batches, one batch in a turn of the event loop.

    A message takes it if nothing is ahead of it, its agent is there, and nobody oversees, logs or
    traces messages. All others take the plain way, through the inbox. The rules are the same.

    Args:
        dispatcher: The bookkeeping, shared with the plain way.
        routes: Says who hears a topic.
        host: What the drive leaves to Python; see `ferrogen._runtime.inline.InlineHost`.
        loggers: The names of the loggers that take the plain way as soon as they take INFO records.
        overseers: The user's intervention handlers.
        tasks: Where the tasks of handlers that wait are kept.
    """

    def __new__(
        cls,
        *,
        dispatcher: Dispatcher[Any],
        routes: Routes,
        host: object,
        loggers: tuple[str, str],
        overseers: list[Any],
        tasks: set[asyncio.Task[None]],
    ) -> Self: ...
    def open(self, event_loop: asyncio.AbstractEventLoop, *, is_traced: bool) -> None:
        """Let messages take the short cut that are sent from this thread's running loop.

        `is_traced` says whether spans are recorded.
        """

    def shut(self) -> None:
        """Let all messages take the plain way."""

    def send_message(
        self,
        message: Any,
        recipient: AgentId,
        *,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
    ) -> Send:
        """Make the coroutine that sends a message. See `AgentRuntime.send_message`."""

    def publish_message(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
    ) -> Send:
        """Make the coroutine that publishes a message. See `AgentRuntime.publish_message`."""

    def pump(self) -> None:
        """Hand out what was published, for about a millisecond. The event loop calls it."""

    def begin_gathered(self) -> None:
        """Give what `asyncio.gather` waits for its first step. The event loop calls it."""

    def resume_parked(self) -> None:
        """Resume handlers whose waiting for other agents is over. The event loop calls it."""

    def will_hand_out(self) -> bool:
        """Whether the next message was published and `pump` will hand it out.

        If so, the event loop has been asked to call `pump`.
        """

    @property
    def is_running(self) -> bool:
        """Whether a handler that took the short cut is on the stack."""

    idle_is_awaited: bool
    """Whether somebody waits for the runtime to be idle. Can only be set."""
