"""A state store that is slow, and fails to save."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from random import Random
from typing import Any

from ferrogen import AgentId, InMemoryStateStore

__all__ = ["UnreliableStore"]


class UnreliableStore(InMemoryStateStore):
    """The store of a runtime of a round.

    Args:
        random: The choices of the round.
        used: What the program has exercised.
    """

    def __init__(self, random: Random, used: Counter[str]) -> None:
        super().__init__()
        self.failure_rate = random.choice((0.0, 0.0, 0.2))
        self._random = random
        self._used = used

    async def load(self, agent_id: AgentId) -> Mapping[str, Any] | None:
        """Load a state, sometimes slowly."""
        await self._wait()
        state = await super().load(agent_id)
        self._used["store: loads a state" if state else "store: has no state"] += 1
        return state

    async def save(self, agent_id: AgentId, state: Mapping[str, Any]) -> None:
        """Save a state, sometimes slowly; or fail."""
        await self._wait()
        if self._random.random() < self.failure_rate:
            self._used["store: fails to save"] += 1
            raise OSError("the disk is full")
        await super().save(agent_id, state)
        self._used["store: saves"] += 1

    async def _wait(self) -> None:
        mood = self._random.random()
        if mood < 0.5:
            await asyncio.sleep(0 if mood < 0.2 else self._random.choice((0.0001, 0.001, 0.003)))
