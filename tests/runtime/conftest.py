"""The runtime that most tests of it use."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from ferrogen import SingleThreadedAgentRuntime

from .helpers import is_started


@pytest.fixture
async def runtime() -> AsyncIterator[SingleThreadedAgentRuntime]:
    """A runtime that is started, and can be stopped without an error in the end."""
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    yield runtime
    if is_started(runtime):
        await asyncio.wait_for(runtime.stop_when_idle(), 5)
    await runtime.close()
