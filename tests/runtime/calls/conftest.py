"""Event loops with simulated time, and the runtime fixture."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from ferrogen import SingleThreadedAgentRuntime
from ferrogen.testing import VirtualTimeLoop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
async def runtime() -> AsyncIterator[SingleThreadedAgentRuntime]:
    """A started runtime, which is drained and closed at the end."""
    async with SingleThreadedAgentRuntime() as runtime:
        yield runtime
