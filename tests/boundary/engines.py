"""Engines without a runtime, with a minimal host."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextvars import copy_context
from typing import Any

from ferrogen import AgentId, BaseAgent, MessageContext, SingleThreadedAgentRuntime
from ferrogen._core import Engine, Routes

WRITER = AgentId("writer", "1")
CRITIC = AgentId("critic", "1")


class Agent(BaseAgent):
    """An agent that can refer to anything, and returns each message."""

    def __init__(self) -> None:
        super().__init__("returns each message")
        self.holds: Any = None

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        return message


class Thing:
    """An object that can refer to anything."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class NamedThing(AgentId):
    """An id that can refer to anything."""

    holds: Any


class Host:
    """What the engine calls in Python. All types are registered; nothing is built."""

    def __init__(self) -> None:
        self.holds: Any = None
        self.calls: list[tuple[str, tuple[Any, ...]]] = []

    def enter(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop()

    def is_registered(self, agent_id: AgentId) -> bool:
        return agent_id.type != "unknown"

    def may_passivate(self) -> bool:
        return True

    def entry_point(self, agent: Agent) -> None:
        return None

    def build_inline(self, agent_id: AgentId) -> bool:
        return False

    def stopped(self, reason: str) -> Exception:
        return RuntimeError(reason)

    def mailbox_full(self, recipient: AgentId, message: Any) -> Exception:
        return RuntimeError("full")

    def recipient_not_found(self, *about: Any) -> Exception:
        return LookupError("unknown")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *arguments: self.calls.append((name, arguments))


def make_engine(host: Any = None, *, task_mode: bool = False) -> Engine:
    return Engine(
        host=Host() if host is None else host,
        routes=Routes(),
        loggers=("tests.messages", "tests.events"),
        interceptors=[],
        kept=set(),
        task_mode=task_mode,
    )


def open_engine(host: Any = None, *, task_mode: bool = False) -> Engine:
    """An engine that processes messages in the running event loop."""
    engine = make_engine(host, task_mode=task_mode)
    engine.open(asyncio.get_running_loop(), copy_context(), is_traced=False)
    return engine


async def started(*agents: BaseAgent) -> SingleThreadedAgentRuntime:
    """A started runtime with these agents, as `WRITER` and `CRITIC`."""
    runtime = SingleThreadedAgentRuntime()
    for agent, agent_id in zip(agents, (WRITER, CRITIC), strict=False):
        await runtime.register_agent_instance(agent, agent_id)
    runtime.start()
    return runtime


async def outcome_of(awaitable: Awaitable[Any]) -> Any:
    """The result of an awaitable, or the exception that it raised."""
    try:
        return await awaitable
    except Exception as error:  # noqa: BLE001 - the test checks it
        return error
