"""A scripted server for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from .scripted_server import ScriptedServer


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer() as running:
        yield running
