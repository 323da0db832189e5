"""The runtime fixture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ferrogen import SingleThreadedAgentRuntime

from .function_agents import is_started
from .stepped_time import SteppedTime


@pytest.fixture
async def runtime() -> AsyncIterator[SingleThreadedAgentRuntime]:
    """A started runtime, which must stop without an error at the end."""
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    yield runtime
    if is_started(runtime):
        await asyncio.wait_for(runtime.stop_when_idle(), 150)
    await runtime.close()


@pytest.fixture
async def clock(monkeypatch: pytest.MonkeyPatch) -> SteppedTime:
    """The clock of the event loop, which a test steps."""
    return SteppedTime(monkeypatch)
