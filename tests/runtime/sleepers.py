"""Agents that count, and note what is done with them; and stores that fail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ferrogen import (
    AgentId,
    AgentOptions,
    InMemoryStateStore,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    StateStore,
    rpc,
)

A, B, C = (AgentId("counter", key) for key in "abc")


@dataclass
class Add:
    number: int = 1


@dataclass
class Hold:
    """The handler waits until the gate is opened."""


@dataclass
class Book:
    """What the agents of a runtime have done."""

    calls: list[str] = field(default_factory=list)
    built: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    def of(self, *names: str) -> list[str]:
        """The calls of these names."""
        return [call for call in self.calls if call.split()[1] in names]


class Counter(RoutedAgent):
    def __init__(self, book: Book) -> None:
        super().__init__("counts")
        book.built += 1
        self.number = book.built
        self.book = book
        self.total = 0

    def note(self, what: str) -> None:
        self.book.calls.append(f"{self.number} {what}")

    async def on_activate(self) -> None:
        self.note("on_activate")

    async def on_restart(self, error: BaseException) -> None:
        self.note("on_restart")

    async def on_deactivate(self) -> None:
        self.note("on_deactivate")

    async def save_state(self) -> Mapping[str, Any]:
        self.note("save_state")
        return {"total": self.total} if self.total else {}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        self.note("load_state")
        self.total = state["total"]

    async def close(self) -> None:
        self.note("close")

    @rpc
    async def on_add(self, message: Add, ctx: MessageContext) -> int:
        self.total += message.number
        self.note(f"add {self.total}")
        return self.total

    @rpc
    async def on_hold(self, message: Hold, ctx: MessageContext) -> int:
        await self.book.gate.wait()
        return self.total


class FailingStore(InMemoryStateStore):
    """A store whose methods fail as often as is set, and wait while `gate` is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.failing = {"load": 0, "save": 0, "delete": 0}
        self.gate = asyncio.Event()
        self.gate.set()

    async def _begin(self, name: str, agent_id: AgentId) -> None:
        self.calls.append(f"{name} {agent_id}")
        await self.gate.wait()
        if self.failing[name]:
            self.failing[name] -= 1
            raise OSError(f"cannot {name}")

    async def load(self, agent_id: AgentId) -> Mapping[str, Any] | None:
        await self._begin("load", agent_id)
        return await super().load(agent_id)

    async def save(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        await self._begin("save", agent_id)
        await super().save(agent_id, state)

    async def delete(self, agent_id: AgentId) -> None:
        await self._begin("delete", agent_id)
        await super().delete(agent_id)


async def started(
    store: StateStore | None = None, *, book: Book | None = None, **options: Any
) -> tuple[SingleThreadedAgentRuntime, Book]:
    """A started runtime with counters of these options."""
    book = Book() if book is None else book
    runtime = SingleThreadedAgentRuntime(state_store=store)
    await Counter.register(runtime, "counter", lambda: Counter(book))
    runtime.set_agent_options("counter", AgentOptions(**options))
    runtime.start()
    return runtime, book


def in_memory(runtime: SingleThreadedAgentRuntime) -> list[str]:
    """The keys of the agents that are in memory."""
    return [info.id.key for info in runtime.agents()]


async def add(runtime: SingleThreadedAgentRuntime, *agents: AgentId) -> list[int]:
    """Send a message to each, one after the other."""
    return [await runtime.send_message(Add(), agent) for agent in agents]
