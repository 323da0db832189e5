"""The agents of the soak program, and the factories that build them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ferrogen import (
    AgentInstantiationContext,
    AgentOptions,
    BaseAgent,
    CircuitBreaker,
    MessageContext,
    RetryPolicy,
    RoutedAgent,
    Supervision,
    message_handler,
    stream,
)

from .messages import FactoryError, Flow, HandlerError, Job, Reply, Work

if TYPE_CHECKING:
    from .ledger import Run
    from .tracked import TrackedRuntime

__all__ = ["AgentKind", "PlainWorker", "RoutedWorker", "Worker", "factory_of"]


@dataclass
class AgentKind:
    """An agent type: its options, its class, and how its factory behaves."""

    name: str
    is_routed: bool = False
    factory: Literal["sync", "async", "yields", "slow", "instance"] = "sync"
    failure_rate: float = 0.0
    concurrency: int | None = None
    capacity: int | None = None
    overflow: Literal["reject", "drop_newest", "drop_oldest", "wait"] = "reject"
    passivate_after: float | None = None
    max_active: int | None = None
    order: Literal["concurrent", "sequential", "reentrant"] = "concurrent"
    retry: RetryPolicy | None = None
    circuit_breaker: CircuitBreaker | None = None
    supervision: Supervision | None = None

    @property
    def limit(self) -> int | None:
        """How many messages an agent handles at a time."""
        return self.concurrency if self.order == "concurrent" else 1

    @property
    def is_guarded(self) -> bool:
        """Whether handlers are called again, or not at all, after failures."""
        return bool(self.retry or self.circuit_breaker or self.supervision)

    @property
    def is_replaced(self) -> bool:
        """Whether instances are closed because they fail."""
        one = self.supervision
        return one is not None and one.on_failure in ("restart", "stop")

    def options(self) -> AgentOptions:
        """What the agent type is registered with."""
        return AgentOptions(
            order=self.order,
            concurrency=self.concurrency,
            capacity=self.capacity,
            overflow=self.overflow,
            passivate_after=self.passivate_after,
            max_active=self.max_active,
            retry=self.retry,
            circuit_breaker=self.circuit_breaker,
            supervision=self.supervision,
        )


class Worker:
    """What both classes of agents have: they do what the message says."""

    home: TrackedRuntime
    act: Callable[[Worker, Run, Work, MessageContext], Awaitable[None]]
    key: str
    type_name: str
    running: int
    last_active: float
    is_closing: bool
    total: int

    def enter(self, home: TrackedRuntime, key: str) -> None:
        """The agent exists from here on."""
        self.home = home
        self.key = key
        self.type_name = key.split("/", maxsplit=1)[0]
        self.running = 0
        self.last_active = home.ledger.time()
        self.is_closing = False
        self.total = 0
        home.agent_built(self)

    async def handle(self, message: Work, context: MessageContext) -> Reply:
        """Handle a message, between two entries in the ledger."""
        ledger = self.home.ledger
        run = ledger.start(self, message, context)
        self.home.count(self)
        try:
            await self.home.act(self, run, message, context)
        except BaseException as error:
            ledger.finish(run, error)
            raise
        ledger.finish(run)
        return Reply(message.serial)

    async def save_state(self) -> dict[str, Any]:
        """How many handlers have begun."""
        return {"total": self.total} if self.total else {}

    async def load_state(self, state: Any) -> None:
        """Continue to count."""
        self.total = state["total"]

    async def close(self) -> None:
        """Record that the agent is closed; sometimes slowly, sometimes with an error."""
        self.home.agent_closing(self)
        mood = self.home.random.random()
        if mood < 0.2:
            await asyncio.sleep(0)
        elif mood < 0.4:
            await asyncio.sleep(0.002)
        if mood > 0.95:
            raise RuntimeError("closing fails")


class PlainWorker(Worker, BaseAgent):
    """Handles all messages in one method."""

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        """Handle a message."""
        return await self.handle(message, ctx)


class RoutedWorker(Worker, RoutedAgent):
    """Has a handler for each class of messages."""

    @message_handler
    async def on_work(self, message: Work, ctx: MessageContext) -> Reply:
        """Handle a message."""
        return await self.handle(message, ctx)

    @message_handler
    async def on_job(self, message: Job, ctx: MessageContext) -> Reply:
        """Handle a message of the other class."""
        return await self.handle(message, ctx)

    @stream
    async def on_flow(self, message: Flow, ctx: MessageContext) -> AsyncIterator[Reply]:
        """Respond in parts, and sometimes fail after some of them."""
        ledger = self.home.ledger
        run = ledger.start(self, message, ctx)
        self.home.count(self)
        try:
            for part in range(message.serial % 5):
                if self.home.random.random() < 0.3:
                    await asyncio.sleep(self.home.random.choice((0, 0.001, 0.003)))
                if self.home.random.random() < 0.05:
                    raise HandlerError
                yield Reply(message.serial, part)
        except BaseException as error:
            if isinstance(error, GeneratorExit):
                ledger.finish(run)
            else:
                ledger.finish(run, error)
            raise
        ledger.finish(run)


def factory_of(home: TrackedRuntime, kind: AgentKind) -> Callable[[], Any]:
    """The factory of an agent type."""

    def build(key: str) -> Worker:
        home.used[f"factory: {kind.factory}"] += 1
        if home.random.random() < kind.failure_rate:
            home.used["factory: fails"] += 1
            raise home.factory_failed(key, FactoryError(key))
        worker = (RoutedWorker if kind.is_routed else PlainWorker)("works")
        worker.enter(home, key)
        return worker

    def sync() -> Worker:
        key = str(AgentInstantiationContext.current_agent_id())
        with home.building(key):
            return build(key)

    async def suspending() -> Worker:
        key = str(AgentInstantiationContext.current_agent_id())
        with home.building(key):
            if kind.factory == "yields":
                await asyncio.sleep(0)
            elif kind.factory == "slow":
                await asyncio.sleep(home.random.choice((0.001, 0.002, 0.005)))
            return build(key)

    return sync if kind.factory == "sync" else suspending
