"""The ways in which messages are sent, by handlers and from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from ferrogen import AgentId, CancellationToken, RetryPolicy, TopicId

from .ledger import Entry, Run
from .messages import Job, Reply, Work
from .subscriptions import BROKEN

if TYPE_CHECKING:
    from .rounds import Round
    from .tracked import TrackedRuntime

__all__ = [
    "PUBLISHING",
    "SECONDS",
    "SENDING",
    "Sender",
    "Way",
    "end_task",
    "random_policy",
    "start",
    "within",
]

DISTANT = 1e6
"""A deadline, in seconds, that no message exceeds."""
SECONDS = (0.001, 0.002, 0.003, 0.005, 0.01)
"""Few and equal durations, so that timers meet."""


class Sender:
    """Sends messages: a lane outside of all agents, or a handler.

    Args:
        round: The round.
        home: The runtime that it sends to.
        agent_id: The name of the sender, or `None`.
        run: The handler, or `None` outside of handlers.
        depth: How many further hops the messages may cause.
    """

    def __init__(
        self,
        round: Round,
        home: TrackedRuntime,
        agent_id: AgentId | None,
        run: Run | None,
        depth: int,
    ) -> None:
        self.round = round
        self.home = home
        self.ledger = home.ledger
        self.random = home.random
        self.agent_id = agent_id
        self.run = run
        self.depth = depth

    # Messages.

    def entry(
        self,
        to: AgentId | TopicId | None = None,
        action: str | None = None,
        message: type[Work] | None = None,
    ) -> Entry:
        """A message to an agent; by default a random message to a random agent."""
        to = self.random.choice(self.home.ids) if to is None else to
        action = action or self.round.choose_action(self.depth)
        message = message or (Work if self.random.random() < 0.5 else Job)
        work = message(self.ledger.next_serial(), action, self.depth)
        entry = Entry(self.home, self.agent_id, to, work)
        if self.random.random() < 0.05:
            entry.message_id = f"id-{work.serial}"
        return self.ledger.enter(entry)

    def topic_entry(self) -> Entry:
        """A random message to a random topic."""
        return self.entry(self.random.choice(self.home.topics))

    def call(
        self, entry: Entry, token: CancellationToken | None = None
    ) -> Coroutine[Any, Any, Any]:
        """Call the runtime, or the agent's own method."""
        more: dict[str, Any] = {"cancellation_token": token}
        if entry.message_id is not None:
            more["message_id"] = entry.message_id
        more.update(self.options(entry))
        run = self.run
        is_own = run is not None and run.worker.home is self.home and self.random.random() < 0.5
        if isinstance(entry.to, TopicId):
            if run is not None and is_own and entry.message_id is None:
                return run.worker.publish_message(entry.work, entry.to, **more)  # type: ignore[attr-defined,no-any-return]
            return self.home.runtime.publish_message(
                entry.work, entry.to, sender=self.agent_id, **more
            )
        if self.random.random() < 0.05:
            self.home.used["send: ask"] += 1
            entry.is_unordered = True  # a coroutine, which begins in a task of its own
            asks = run.worker if run is not None and is_own else self.home.runtime
            if asks is self.home.runtime:
                more["sender"] = self.agent_id
            return asks.ask(entry.to, entry.work, Reply | None, **more)  # type: ignore[union-attr]
        if run is not None and is_own:
            return run.worker.send_message(entry.work, entry.to, **more)  # type: ignore[attr-defined,no-any-return]
        return self.home.runtime.send_message(entry.work, entry.to, sender=self.agent_id, **more)

    def options(self, entry: Entry) -> dict[str, Any]:
        """Random options of a message. Some of them take it out of the order of its sender."""
        options: dict[str, Any] = {}
        choice = self.random.random
        if choice() < 0.05:
            options["timeout"] = DISTANT
        elif choice() < self.round.plan.features and entry.kind != "stream":
            options["timeout"] = self.seconds()
            self.home.used["option: timeout, short"] += 1
            deadline = self.round.loop.time() + options["timeout"]
            entry.deadline = min(deadline, entry.deadline or deadline)
        if choice() < 0.05:
            is_short = choice() < 5 * self.round.plan.features
            options["max_hops"] = self.random.randint(1, 3) if is_short else 100
            entry.has_hop_limit |= is_short
        if choice() < 0.05 and entry.kind != "stream":
            options["retry"] = entry.policy = self.policy()
        if choice() < 0.05 and "timeout" not in options:
            options["delay"] = self.seconds()
        if choice() < 0.05:
            options["priority"] = self.random.randint(-2, 2)
        if choice() < 0.05:
            options["fairness_key"] = self.random.choice("ab")
        for name in options:
            self.home.used[f"option: {name}"] += 1
        if options.keys() & {"delay", "priority", "fairness_key"}:
            entry.is_unordered = True
        return options

    def policy(self) -> RetryPolicy:
        """A random retry policy."""
        if not self.round.plan.features:
            return RetryPolicy(attempts=1)
        return random_policy(self.random)

    async def send(self, entry: Entry, token: CancellationToken | None = None) -> Any:
        """Send a message, await its end, and enter it into the ledger."""
        call = self.call(entry, token)
        self.ledger.begin_send(entry)
        try:
            value = await call
        except BaseException as error:
            self.ledger.end_error(entry, error)
            is_canceled = isinstance(error, asyncio.CancelledError)
            if self.run is not None and is_canceled and asyncio.current_task() is self.run.task:
                self.run.is_cancelled = True
            raise
        self.ledger.end_value(entry, value)
        return value

    def enter_end(self, entry: Entry, end: Any) -> None:
        """Enter the end of a send that something else has awaited: a future or its result."""
        if hasattr(end, "_asyncio_future_blocking"):
            if not end.done():
                self.ledger.violate("a send is not done after its gather", entry)
                return
            canceled = asyncio.CancelledError() if end.cancelled() else None
            end = canceled or end.exception() or end.result()
        if isinstance(end, BaseException):
            self.ledger.end_error(entry, end)
        else:
            self.ledger.end_value(entry, end)

    def seconds(self) -> float:
        """A random duration."""
        return self.random.choice(SECONDS)

    def several(self) -> list[Entry]:
        """A burst of messages: few, often to one agent."""
        count = (
            150 if self.run is None and self.random.random() < 0.01 else self.random.randint(2, 8)
        )
        to = self.random.choice(self.home.ids) if self.random.random() < 0.5 else None
        return [self.entry(to) for _ in range(count)]


def random_policy(random: Random) -> RetryPolicy:
    """A random retry policy with short delays."""
    return RetryPolicy(
        attempts=random.randint(1, 4),
        initial_delay=random.choice((0.0, 0.001)),
        max_delay=0.004,
        jitter=random.choice(("full", "none")),
        attempt_timeout=random.choice((None, None, None, 0.004)),
    )


# Inside a handler everything but a plain await has a timeout: the runtime detects no deadlock
# through other tasks.


async def directly(sender: Sender) -> None:
    """Await the send."""
    await sender.send(sender.entry())


async def within(sender: Sender, entry: Entry, send: Awaitable[Any]) -> None:
    """Await a send for a while."""
    try:
        await asyncio.wait_for(send, sender.seconds())
    except asyncio.TimeoutError:
        sender.home.used["timeout"] += 1
    except asyncio.CancelledError:
        if sender.run is not None and entry.end == "cancelled":
            sender.run.is_cancelled = True
        raise


async def with_timeout(sender: Sender) -> None:
    """Await the send for a while."""
    entry = sender.entry()
    entry.may_cancel = True
    await within(sender, entry, sender.send(entry))


async def in_task(sender: Sender) -> None:
    """Await the send in a task of its own."""
    entry = sender.entry()
    entry.may_cancel = sender.run is not None
    task = start(sender.send(entry))
    if sender.run is None:
        await task
    else:
        await asyncio.wait({task}, timeout=sender.seconds())
        await end_task(task)


def start(call: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
    """Start a task whose error is retrieved, also if its sender is canceled."""
    task = asyncio.create_task(call)
    task.add_done_callback(lambda one: one.cancelled() or one.exception())
    return task


async def end_task(task: asyncio.Task[Any]) -> None:
    """Cancel a task and await it."""
    task.cancel()
    await asyncio.wait({task})
    if not task.cancelled():
        task.exception()


async def in_canceled_task(sender: Sender) -> None:
    """Cancel the task of the send: before its first step, soon after, or later."""
    entry = sender.entry()
    entry.may_cancel = True
    task = start(sender.send(entry))
    for _ in range(sender.random.randint(0, 3)):
        await asyncio.sleep(0)
    if sender.random.random() < 0.5:
        await asyncio.sleep(sender.seconds())
    await end_task(task)


async def with_token(sender: Sender) -> None:
    """Cancel the send by its token."""
    token, entry = CancellationToken(), sender.entry()
    entry.may_cancel = True
    if sender.random.random() < 0.2:
        token.cancel()
    else:
        asyncio.get_running_loop().call_later(sender.seconds(), token.cancel)
    try:
        await sender.send(entry, token)
    except asyncio.CancelledError:
        sender.home.used["token: canceled a send"] += 1
        if sender.round.is_closing:
            raise


async def gathered(sender: Sender) -> None:
    """Gather sends, and publishes among them; sometimes cancel the gather."""
    entries = sender.several()
    if sender.random.random() < 0.3:
        entries.insert(sender.random.randrange(len(entries)), sender.topic_entry())
    is_canceled = sender.run is not None or sender.random.random() < 0.3
    # They begin in a later turn: their order is among themselves.
    key = ("gather", entries[0].serial)
    for place, entry in enumerate(entries):
        sender.ledger.begin_send(entry, is_ordered=False)
        entry.order_key, entry.order = key, place + 1
        entry.may_cancel = is_canceled
    calls = [sender.call(entry) for entry in entries]
    gather = asyncio.gather(*calls, return_exceptions=True)
    children = list(getattr(gather, "_children", ()))
    timer = None
    if is_canceled:
        timer = asyncio.get_running_loop().call_later(sender.seconds(), gather.cancel)
    try:
        results: Sequence[Any] = await gather
    except asyncio.CancelledError:
        sender.home.used["gather: canceled"] += 1
        if not gather.done():
            await asyncio.wait(children)
        results = children
    if timer is not None:
        timer.cancel()
    for entry, result in zip(entries, results, strict=True):
        sender.enter_end(entry, result)


async def in_tasks(sender: Sender) -> None:
    """Begin many sends at once, each in its task; cancel some, or those that are not first."""
    entries = sender.several()
    is_race = sender.run is not None or sender.random.random() < 0.3
    for entry in entries:
        entry.may_cancel = is_race
    tasks = [start(sender.send(entry)) for entry in entries]
    if is_race:
        await asyncio.wait(tasks, timeout=sender.seconds(), return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
    await asyncio.wait(tasks)
    for task in tasks:
        if not task.cancelled():
            task.exception()


async def in_bare_task(sender: Sender) -> None:
    """Make a task of the bare send; sometimes cancel it."""
    entry = sender.entry()
    is_canceled = sender.run is not None or sender.random.random() < 0.3
    entry.may_cancel = is_canceled
    task = start(sender.call(entry))
    task.add_done_callback(partial(sender.enter_end, entry))
    if is_canceled and sender.random.random() < 0.3:
        task.cancel()  # before the runtime was given the message
    else:
        sender.ledger.begin_send(entry, is_ordered=False)
    if is_canceled:
        await asyncio.wait({task}, timeout=sender.seconds())
        task.cancel()
    await asyncio.wait({task})


async def shielded(sender: Sender) -> None:
    """Shield the send from a timeout."""
    entry = sender.entry()
    task = sender.round.spawn(sender.send(entry))
    await within(sender, entry, asyncio.shield(task))


async def to_unknown(sender: Sender) -> None:
    """Send to an agent type that is not registered."""
    await sender.send(sender.entry(AgentId("unknown", "x")))


async def obtain(sender: Sender) -> None:
    """Build an agent, or find it, without a message."""
    if sender.round.is_closing:  # it would stay open
        return
    agent_id = sender.random.choice(sender.home.ids)
    runtime = sender.home.runtime
    calls: list[Coroutine[Any, Any, Any]] = [
        runtime.get(agent_id, lazy=False),
        runtime.agent_metadata(agent_id),
        runtime.try_get_underlying_agent_instance(agent_id),
        runtime.agent_save_state(agent_id),
        runtime.save_state(),
    ]
    chosen = sender.random.randrange(len(calls))
    for index, call in enumerate(calls):
        if index != chosen:
            call.close()
    # An agent that is idle, one too many, or fails may be closed before `wait_for` returns it.
    kind = sender.home.types[agent_id.type]
    may_leave = kind.max_active is not None or kind.passivate_after is not None
    is_instance = chosen == 2 and not may_leave and kind.supervision is None
    try:
        found = await asyncio.wait_for(calls[chosen], sender.seconds())
    except asyncio.TimeoutError:
        return
    if is_instance and found.is_closing and not sender.round.is_closing:
        sender.ledger.violate("A1: a closed agent was returned", None, found.key)


async def publish(sender: Sender) -> None:
    """Publish one or more messages."""
    for _ in range(sender.random.choice((1, 1, 1, 2, 5, 20))):
        entry = sender.topic_entry()
        if isinstance(entry.to, TopicId) and entry.to.type == BROKEN:
            sender.home.used["publish: a subscription raises"] += 1
        await sender.send(entry)


async def to_self(sender: Sender) -> None:
    """Send to the sending agent itself: a deadlock if its concurrency is 1."""
    await sender.send(sender.entry(sender.agent_id if sender.run is not None else None, "chain"))


Way = Callable[[Sender], Awaitable[None]]

SENDING: dict[str, tuple[Way, float]] = {
    "send: await": (directly, 10),
    "send: timeout": (with_timeout, 2),
    "send: task": (in_task, 2),
    "send: canceled task": (in_canceled_task, 2),
    "send: token": (with_token, 1),
    "send: gather": (gathered, 2),
    "send: burst of tasks": (in_tasks, 2),
    "send: bare task": (in_bare_task, 1),
    "send: shield": (shielded, 0.5),
    "send: unknown agent type": (to_unknown, 0.1),
    "send: to itself": (to_self, 1),
    "agent: obtained": (obtain, 0.5),
}
"""The ways of sending, and how often they are chosen."""

PUBLISHING: dict[str, tuple[Way, float]] = {"publish": (publish, 4)}
