"""Fixtures: the execution modes, and a runtime in each mode."""

import asyncio
from collections.abc import AsyncIterator
from types import ModuleType

import autogen_core
import pytest

import ferrogen

from .world import World

# AutoGen, task mode, and the default mode, in which handlers run inline until they suspend.
MODES = ["upstream", "plain", "native"]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The mode of this test; runtimes created in the test are in that mode."""
    if request.param == "plain":
        monkeypatch.setenv("FERROGEN_PLAIN_TASKS", "1")
    else:
        monkeypatch.delenv("FERROGEN_PLAIN_TASKS", raising=False)
    return request.param


@pytest.fixture
def core(mode: str) -> ModuleType:
    """The package under test."""
    return autogen_core if mode == "upstream" else ferrogen


@pytest.fixture
async def world(core: ModuleType, mode: str) -> AsyncIterator[World]:
    """A runtime on this test's loop. At the end of the test, all its messages must be settled."""
    world = World(core, mode)
    world.watch_loop()
    yield world
    if not world.is_upstream:
        if world.is_started and not world.is_left_busy:
            await asyncio.wait_for(world.runtime.stop_when_idle(), 5)
        assert world.strays == []
