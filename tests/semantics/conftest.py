"""The modes every test here runs in, and the world a test builds its agents in."""

import asyncio
from collections.abc import AsyncIterator
from types import ModuleType

import autogen_core
import pytest

import ferrogen

from .world import World

# Whether the native driver is there. Without `FERROGEN_PLAIN_TASKS` it is what runs the handlers.
NATIVE_DRIVER = True

# AutoGen's own package shows what programs are used to; plain Tasks are the oracle.
MODES = ["upstream", "plain", *(["native"] if NATIVE_DRIVER else [])]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The mode this test runs in; runtimes made in the test are of that mode."""
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
    """A runtime on this test's loop. When the test ends, all its messages must have ended too."""
    world = World(core, mode)
    world.watch_loop()
    yield world
    if not world.is_upstream:
        if world.is_started and not world.is_left_busy:
            await asyncio.wait_for(world.runtime.stop_when_idle(), 5)
        assert world.strays == []
