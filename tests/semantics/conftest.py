"""Fixtures: the execution modes, and a runtime in each mode."""

import asyncio
from collections.abc import AsyncIterator
from types import ModuleType

import autogen_core
import pytest

import ferrogen

from .scenario import Scenario

# AutoGen, task mode, and the default mode, in which handlers run inline until they suspend.
MODES = ["upstream", "tasks", "inline"]


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The mode of this test; runtimes created in the test are in that mode."""
    if request.param == "tasks":
        monkeypatch.setenv("FERROGEN_PLAIN_TASKS", "1")
    else:
        monkeypatch.delenv("FERROGEN_PLAIN_TASKS", raising=False)
    return request.param


@pytest.fixture
def core(mode: str) -> ModuleType:
    """The package under test."""
    return autogen_core if mode == "upstream" else ferrogen


@pytest.fixture
async def scenario(core: ModuleType, mode: str) -> AsyncIterator[Scenario]:
    """A runtime on this test's loop. At the end of the test, all its messages must be settled."""
    scenario = Scenario(core, mode)
    scenario.collect_loop_errors()
    yield scenario
    if not scenario.is_upstream:
        if scenario.is_started and not scenario.is_left_busy:
            await asyncio.wait_for(scenario.runtime.stop_when_idle(), 150)
        assert scenario.loop_errors == []
