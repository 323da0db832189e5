"""The runtime that most tests of it use."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from ferrogen import SingleThreadedAgentRuntime


@pytest.fixture
async def runtime() -> AsyncIterator[SingleThreadedAgentRuntime]:
    """A runtime that is started, and can be stopped without an error in the end."""
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    yield runtime
    if runtime._inbox.is_started:
        await runtime.stop_when_idle()
    await runtime.close()
