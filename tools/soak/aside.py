"""A runtime beside the ones under test: what awaits a response of it awaits another runtime."""

from __future__ import annotations

import asyncio

from ferrogen import AgentId, BaseAgent, MessageContext, SingleThreadedAgentRuntime

__all__ = ["Aside"]

_SLEEPER = AgentId("sleeper", "default")


class _Sleeper(BaseAgent):
    def __init__(self) -> None:
        super().__init__("sleeps")

    async def on_message_impl(self, message: float, ctx: MessageContext) -> float:
        await asyncio.sleep(message)
        return message


class Aside:
    """A runtime with an agent that sleeps. The ledger knows nothing of its messages."""

    def __init__(self) -> None:
        self._runtime = SingleThreadedAgentRuntime()

    async def start(self) -> None:
        """Start the runtime."""
        await _Sleeper.register(self._runtime, "sleeper", _Sleeper)
        self._runtime.start()

    async def sleep(self, seconds: float) -> None:
        """Send a message whose handler sleeps, and await the response."""
        await self._runtime.send_message(seconds, _SLEEPER)

    async def close(self) -> None:
        """Close the runtime."""
        await self._runtime.close()
