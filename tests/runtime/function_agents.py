"""Agents and helpers of the runtime tests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from ferrogen import AgentId, BaseAgent, MessageContext, SingleThreadedAgentRuntime

Act = Callable[["Doing", Any, MessageContext], Awaitable[Any]]


class Doing(BaseAgent):
    """An agent that calls a function with each message, and has a number as its state."""

    def __init__(self, act: Act) -> None:
        super().__init__("calls a function")
        self.act = act
        self.number = 0
        self.closed = 0

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        return await self.act(self, message, ctx)

    async def save_state(self) -> dict[str, Any]:
        return {"number": self.number}

    async def load_state(self, state: Any) -> None:
        self.number = state["number"]

    async def close(self) -> None:
        self.closed += 1


async def echo(agent: Doing, message: Any, ctx: MessageContext) -> Any:
    return message


async def boom(agent: Doing, message: Any, ctx: MessageContext) -> Any:
    raise KeyError(message)


class Gate:
    """A handler that waits until the gate is opened; its arrivals can be awaited."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.arrived: asyncio.Queue[Any] = asyncio.Queue()

    async def __call__(self, agent: Doing, message: Any, ctx: MessageContext) -> Any:
        self.arrived.put_nowait(message)
        await self.open.wait()
        return message


async def register(
    runtime: SingleThreadedAgentRuntime, name: str, act: Act = echo
) -> Callable[..., AgentId]:
    """Register agents with this function; return a function from key to agent id."""
    await Doing.register(runtime, name, lambda: Doing(act))
    return lambda key="default": AgentId(name, key)


class Iterations:
    """Counts the iterations of the event loop."""

    def __init__(self) -> None:
        self.count = 0
        self._next = asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self.count += 1
        self._next = asyncio.get_running_loop().call_soon(self._begin)

    async def of_a_yield(self) -> int:
        """Yield to the event loop; return how many iterations have begun meanwhile."""
        before = self.count
        await asyncio.sleep(0)
        return self.count - before

    def stop(self) -> None:
        self._next.cancel()


async def until(condition: Callable[[], Any]) -> None:
    """Run the event loop until the condition holds, or fail after minutes."""
    end = time.monotonic() + 150
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the condition never held")
        await asyncio.sleep(0)


async def until_idle(runtime: SingleThreadedAgentRuntime) -> None:
    """Wait until all messages are settled."""
    await until(lambda: is_idle(runtime))


def is_idle(runtime: SingleThreadedAgentRuntime) -> bool:
    """Whether all accepted messages are settled (L2)."""
    return runtime._engine.idle


def is_started(runtime: SingleThreadedAgentRuntime) -> bool:
    """Whether the runtime processes messages by itself."""
    return runtime._engine.is_started


def tally(runtime: SingleThreadedAgentRuntime) -> dict[str, int]:
    """How many messages were accepted, and how they were settled (L1)."""
    return runtime._engine.tally()


def instances(runtime: SingleThreadedAgentRuntime) -> list[str]:
    """The ids of the agents that exist."""
    return [str(agent_id) for agent_id, _ in runtime._engine.instances()]
