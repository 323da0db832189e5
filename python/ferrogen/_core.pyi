"""The compiled half of Ferrogen: the engine, agent ids, routes and serializers.

`AgentId`, `CancellationToken` and `MessageContext` are public. The other classes are the interface
between the engine and `ferrogen.runtime`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context
from typing import Any, Final, final

from typing_extensions import Buffer, Self, disjoint_base

from ferrogen.agents.agent_type import AgentType
from ferrogen.agents.retry_policy import RetryPolicy
from ferrogen.messaging.inbox import Inbox
from ferrogen.messaging.routes import Routes as Routes
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.introspection.stats import EngineStats
from ferrogen.runtime.introspection.times import TimeHistogram as TimeHistogram
from ferrogen.runtime.observation import Publication
from ferrogen.runtime.protocols import Agent
from ferrogen.serialization.native import DataclassCodec as DataclassCodec
from ferrogen.serialization.native import EnvelopeCodec as EnvelopeCodec
from ferrogen.serialization.native import JsonWriter as JsonWriter
from ferrogen.serialization.native import ModelCodec as ModelCodec
from ferrogen.serialization.native import SerializerTable as SerializerTable

@disjoint_base
class AgentId:
    """The address of one agent: an agent type and a key.

    The type names the factory that makes the agent; the key distinguishes agents of one type.
    Ids are immutable, hashable, equal if both parts are, and can be pickled.

    Args:
        type: One or more word characters, hyphens and dots, or an `AgentType`.
        key: Any text.

    Raises:
        ValueError: The type has other characters, or the key has lone surrogates.
        TypeError: The type or the key is not text.

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
        """Parse the form `type/key`. The key may contain slashes.

        Raises:
            ValueError: There is no slash, or the type is invalid.
        """

    @property
    def type(self) -> str:
        """The agent type, which names the factory."""

    @property
    def key(self) -> str:
        """The agent key, which distinguishes agents of one type."""

    def __eq__(self, value: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __reduce__(self) -> tuple[Any, ...]: ...
    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore pickled attributes, or the parts of an id that AutoGen pickled.

        Raises:
            TypeError: The state of an id without parts has no type and key of text.
            ValueError: They are invalid.
        """

__version__: Final[str]
"""The version of the package."""

def is_valid_agent_type(value: str) -> bool:
    r"""Whether a text can be an agent type, that is, matches `^[\w\-\.]+\Z`."""

def scaled_products(query: Buffer, rows: Buffer, scales: Buffer, out: Buffer) -> None:
    """Write the products of a vector with the rows of a table, each times the scale of the row.

    Args:
        query: The vector, as int8.
        rows: The table, as int8, one row after the other.
        scales: A float32 for each row.
        out: Where the float32 for each row is written.

    Raises:
        ValueError: The arrays have different lengths, or are not contiguous.
    """

@disjoint_base
class CancellationToken:
    """A request to cancel, passed from the sender of a message to its handlers.

    It can be cancelled from any thread, and used in its callbacks. Futures are linked from the
    thread of their event loop.

    Example:
        ```python
        import asyncio

        from ferrogen import CancellationToken

        async def main() -> None:
            token = CancellationToken()
            task = asyncio.ensure_future(asyncio.Event().wait())
            _ = token.link_future(task)
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
        """Cancel the linked futures and call the callbacks, in the order in which they were added.

        A second call does nothing. If callbacks raise, the others are still called, and the first
        error is raised at the end.
        """

    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""

    @property
    def _callbacks(self) -> list[Any]: ...
    def add_callback(self, callback: Callable[[], None]) -> None:
        """Call a function when the token is cancelled, or now if it is cancelled already.

        Args:
            callback: Called without arguments, in the thread that cancels.
        """

    def link_future(self, future: asyncio.Future[Any]) -> asyncio.Future[Any]:
        """Cancel a future or task when the token is cancelled, or now if it is cancelled already.

        A future of another thread's event loop is cancelled in that thread. A future that is done
        is released. The future needs `done`, `cancel` and `add_done_callback` of asyncio or
        concurrent.futures. A coroutine is ignored: only the task that awaits it can be cancelled.

        Args:
            future: The future.

        Returns:
            The same future.
        """

@disjoint_base
class MessageContext:
    """The context of a message: its sender, its topic, and its cancellation token.

    A dataclass with five fields, also to the functions of `dataclasses`. In a context of a runtime,
    the token and the message id are created when first read.

    Args:
        sender: The agent that sends the message, or None from outside.
        topic_id: The topic that the message was published to, or None if it was sent.
        is_rpc: Whether the sender awaits a response.
        cancellation_token: Cancelled when the sender cancels the message.
        message_id: Names the message in logs and traces.

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

    @property
    def inbox(self) -> Inbox:
        """The messages that `runtime.steer` has sent to the running handler."""

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
class PublishEnvelope:
    """A published message, shared by its deliveries.

    All recipients share one envelope. The token and the message id are created when first read,
    unless they are given.

    Args:
        message: The message.
        topic_id: Its topic.
        sender: The agent that publishes it, or None from outside.
        cancellation_token: Handlers have it in their context.
        message_id: Names the message in logs and traces.
        observer: Reports the message, if it is logged or traced.
    """

    def __new__(
        cls,
        message: Any,
        topic_id: TopicId,
        sender: AgentId | None,
        *,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
        observer: Publication | None = None,
    ) -> Self: ...

    message: Any
    """The message; intervention handlers may replace it."""

    @property
    def topic_id(self) -> TopicId:
        """Its topic."""

    @property
    def sender(self) -> AgentId | None:
        """The agent that publishes it, or None from outside."""

    @property
    def observer(self) -> Any:
        """The `Publication` that reports it, or None if it is neither logged nor traced."""

    @property
    def cancellation_token(self) -> CancellationToken:
        """The token, shared by all recipients."""

    @property
    def message_id(self) -> str:
        """The message id, shared by all recipients."""

    def message_context(self) -> MessageContext:
        """Create the context for one recipient, or for an intervention handler."""

@final
class Chain:
    """Options that messages inherit from the handlers that send them: deadline, limit of hops.

    `runtime.chain()` makes one, and `runtime.cancel` cancels all its messages.

    Args:
        before: The chain that it continues.

    Example:
        ```python
        import asyncio

        from ferrogen import SingleThreadedAgentRuntime

        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            with runtime.chain() as chain:
                print("messages that are sent here belong to it")
            runtime.cancel(chain)
            assert chain.is_cancelled

        asyncio.run(main())
        ```
    """

    def __new__(cls, before: Chain | None) -> Self: ...
    @property
    def number(self) -> int | None:
        """Identifies the messages that can be cancelled together."""

    @property
    def is_cancelled(self) -> bool:
        """Whether they have been cancelled."""

@final
class Handlers:
    """The handlers of one agent class, by the exact type of the message.

    Args:
        described: Each message type with the plans of its handlers, in the order in which they are
            tried; see `ferrogen.agents.handler_building`.
    """

    def __new__(cls, described: list[tuple[type[Any], list[Any]]]) -> Self: ...

@final
class Send(Coroutine[Any, Any, Any]):
    """The awaitable that `send_message` and `publish_message` return.

    The first step of a send runs the handler inline if possible. While the handler is suspended,
    the awaitable has the protocol of a future. Like a coroutine, it does nothing until it is
    awaited, can be awaited once, and warns if it never is.
    """

    def __await__(self) -> Generator[Any, Any, Any]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...
    def send(self, value: Any) -> Any: ...
    def throw(self, error: Any, value: Any = None, traceback: Any = None) -> Any: ...
    def close(self) -> None: ...

    # The protocol of futures, for `asyncio.gather` and the awaiting task. Before there is a future,
    # the methods raise RuntimeError.
    _asyncio_future_blocking: bool | None
    _cancel_message: Any
    def _make_cancelled_error(self) -> asyncio.CancelledError: ...
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
class Engine:
    """The engine of one runtime: takes each message from acceptance to settlement.

    A message is delivered to its handler inside the sender's `await` if nothing is queued ahead of
    it, its agent exists and no intervention handler suspends; otherwise it is queued. Published
    messages are delivered in batches, one batch in each iteration of the event loop.

    Args:
        host: The Python side of the engine; see `ferrogen.runtime.host.EngineHost`.
        routes: The subscriptions.
        loggers: The names of the loggers for messages and for events. Messages are observed while
            one of them is enabled for INFO.
        interceptors: The user's intervention handlers. The list may change at any time.
        kept: Holds the tasks of suspended handlers: asyncio has only weak references to tasks.
        task_mode: Whether each handler runs in its own task from the start.
        max_hops: How many messages a chain has at most, unless its first one says so.
        timed: Whether waiting and handling times are recorded.
    """

    def __new__(
        cls,
        *,
        host: object,
        routes: Routes,
        loggers: tuple[str, str],
        interceptors: list[Any],
        kept: set[asyncio.Task[None]],
        task_mode: bool,
        max_hops: int | None = None,
        timed: bool = True,
    ) -> Self: ...

    # Messages.

    def send_message(
        self,
        message: Any,
        recipient: AgentId,
        *,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
        priority: int | None = None,
        fairness_key: str | None = None,
        timeout: float | None = None,
        delay: float | None = None,
        retry: RetryPolicy | None = None,
        max_hops: int | None = None,
    ) -> Send:
        """Send a message to one agent. See `AgentRuntime.send_message`."""

    def publish_message(
        self,
        message: Any,
        topic_id: TopicId,
        *,
        sender: AgentId | None = None,
        cancellation_token: CancellationToken | None = None,
        message_id: str | None = None,
        priority: int | None = None,
        fairness_key: str | None = None,
        timeout: float | None = None,
        delay: float | None = None,
        retry: RetryPolicy | None = None,
        max_hops: int | None = None,
    ) -> Send:
        """Publish a message to a topic. See `AgentRuntime.publish_message`."""

    # Steering.

    def cancel_agent(self, agent_id: AgentId) -> int:
        """Cancel the handlers that run in an agent, and all that they have called.

        Returns:
            How many handlers run in it.
        """

    def cancel_chain(self, chain: Chain) -> int:
        """Cancel the messages of a chain, also those that are sent later.

        Returns:
            How many handlers of it run.
        """

    def running_in(self, agent_id: AgentId) -> list[int]:
        """Return the numbers of the deliveries whose handlers run in an agent."""

    def runs(self, delivery: int) -> bool:
        """Whether a delivery has not ended."""

    @property
    def current_delivery(self) -> int | None:
        """The number of the delivery whose handler runs in the current task."""

    def await_tasks(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Tell that the handler that runs in the current task awaits these tasks next.

        Deadlocks through what they send are found until the handler goes on.
        """

    # Life cycle.

    def bind(self, event_loop: asyncio.AbstractEventLoop, context: Context) -> None:
        """Bind the engine to an event loop on which messages are processed manually.

        Args:
            event_loop: The running event loop.
            context: Handlers run in copies of it.
        """

    def open(
        self, event_loop: asyncio.AbstractEventLoop, context: Context, *, is_traced: bool
    ) -> None:
        """Start processing messages in this thread's running event loop.

        Args:
            event_loop: The running event loop.
            context: Handlers run in copies of it.
            is_traced: Whether spans are recorded.
        """

    def shut(self) -> None:
        """Stop processing messages. Messages are still accepted, and queued."""

    def drain(self, reason: str) -> None:
        """Turn all messages that no handler has started into dead letters.

        Args:
            reason: The text of the `RuntimeStoppedError` that their senders get.
        """

    def take_one(self) -> bool:
        """Take one message and start its handlers in tasks; return whether there was one."""

    @property
    def is_started(self) -> bool:
        """Whether messages are processed without `take_one`."""

    @property
    def is_running(self) -> bool:
        """Whether a handler is running inline, in this call stack."""

    @property
    def is_paused(self) -> bool:
        """Whether an intervention handler has suspended: no message is taken before it ends."""

    is_traced: bool
    """Whether spans are recorded."""

    idle_is_awaited: bool
    """Whether to call the host's `notify_idle` when all messages are settled. Write-only."""

    interception_is_awaited: bool
    """Whether to call the host's `notify_interception` once, when a suspended intervention handler
    has ended. Write-only."""

    @property
    def waiting(self) -> int:
        """How many messages and responses are queued."""

    @property
    def idle(self) -> bool:
        """Whether all accepted messages are settled (L2)."""

    def stats(self) -> EngineStats:
        """Return what `RuntimeStats` is made of."""

    def count_retry(self, agent_type: str) -> None:
        """Count that a handler is called again with the same message."""

    def count_restart(self, agent_type: str) -> None:
        """Count that a new instance has replaced one that had failed."""

    def note_rejection(self) -> None:
        """Count the message of the running handler as dropped: its error is a rejection."""

    def tally(self) -> dict[str, int]:
        """How many messages were accepted, and how many ended in each way."""

    # Callbacks of the event loop.

    def process_batch(self) -> None:
        """Deliver queued messages, for about a millisecond; in a stopped engine, responses."""

    def begin_gathered(self) -> None:
        """Run the first step of the sends that `asyncio.gather` awaits."""

    def finish_cancelled(self) -> None:
        """Cancel the sends whose tokens are cancelled, a few iterations later."""

    def check_returned(self) -> None:
        """Return to the pool the tasks whose suspended handlers have ended."""

    def resume_responded(self) -> None:
        """Resume the handlers whose responses have arrived."""

    def resume_yielded(self, execution: object) -> None:
        """Resume a handler that has yielded to the event loop."""

    def wake_up(self) -> None:
        """Passivate the agents that have been idle for too long."""

    # Agents. A report about an agent in another state is a RuntimeError (A1).

    def configure(
        self,
        agent_type: str,
        *,
        concurrency: int | None,
        reentrant: bool,
        capacity: int | None,
        overflow: str,
        passivate_after: float | None,
        max_active: int | None,
    ) -> None:
        """Set the options of the agents of a type. See `AgentOptions`; None means no limit."""

    def passivated(self, agent_id: AgentId) -> bool:
        """Report that a passivated agent is closed. Return whether it is to be built again."""

    def stay_awake(self, agent_id: AgentId, instance: Agent, *, retry_after: float | None) -> None:
        """Report that an agent was not passivated, to be tried in some seconds, or (None) never."""

    def build(self, agent_id: AgentId) -> None:
        """Report that the host builds an agent without a message for it."""

    def built(self, agent_id: AgentId, instance: Agent) -> None:
        """Report that an agent is built. Its queued messages become due."""

    def build_failed(self, agent_id: AgentId, error: BaseException) -> None:
        """Report that an agent could not be built. Its queued messages fail with the error."""

    def enter(self, agent_id: AgentId, instance: Agent) -> None:
        """Add an agent that exists already."""

    def instance(self, agent_id: AgentId) -> Agent | None:
        """Return an agent, or None if it does not exist or is being built."""

    def agents(self) -> list[tuple[AgentId, Agent | None, int, int]]:
        """Return all agents, with their numbers of queued and of running messages.

        The instance is None while the agent is being built.
        """

    def instances(self) -> list[tuple[AgentId, Agent]]:
        """Return all agents that exist."""
