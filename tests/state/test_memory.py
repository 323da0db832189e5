"""Memory: nothing is kept of agents that are not in memory."""

from __future__ import annotations

import asyncio
import gc
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentOptions,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    SqliteStateStore,
    rpc,
)

from ..random_examples import IN_SOAK

ACTIVE = 50
TOGETHER = 50


@dataclass
class Visit:
    """A message."""


class Plain(RoutedAgent):
    def __init__(self) -> None:
        super().__init__("is visited")

    @rpc
    async def on_visit(self, message: Visit, ctx: MessageContext) -> None:
        """There is nothing to do."""


class Stateful(Plain):
    async def save_state(self) -> dict[str, Any]:
        return {"visits": 1}

    async def load_state(self, state: Any) -> None:
        """There is nothing to do."""


async def visit(runtime: SingleThreadedAgentRuntime, keys: range) -> None:
    for first in keys[::TOGETHER]:
        ids = [AgentId("visited", str(first + number)) for number in range(TOGETHER)]
        await asyncio.gather(*(runtime.send_message(Visit(), agent_id) for agent_id in ids))


async def growth(
    cls: type[Plain],
    options: AgentOptions,
    folder: Path,
    keys: int,
    measure: Callable[[], int],
) -> int:
    """How many bytes more are in use after so many keys were visited once."""
    async with SqliteStateStore(folder / "agents.sqlite") as store:
        runtime = SingleThreadedAgentRuntime(state_store=store)
        await cls.register(runtime, "visited", cls)
        runtime.set_agent_options("visited", options)
        runtime.start()
        warm = 20 * TOGETHER
        await visit(runtime, range(warm))
        gc.collect()
        before = measure()
        await visit(runtime, range(warm, warm + keys))
        gc.collect()
        after = measure()
        assert len(runtime.agents()) <= ACTIVE + TOGETHER
        await runtime.stop_when_idle()
        await runtime.close()
        stored = 0
        async for _ in store.items():
            stored += 1
        assert stored == (warm + keys if cls is Stateful else 0)
    return after - before


@pytest.mark.soak
@pytest.mark.parametrize("cls", [Plain, Stateful])
@pytest.mark.parametrize("passivate_after", [None, 3600])
async def test_no_object_stays_in_memory(
    cls: type[Plain], passivate_after: float | None, tmp_path: Path
) -> None:
    options = AgentOptions(max_active=ACTIVE, passivate_after=passivate_after)
    keys = 4000 if IN_SOAK else 1000
    tracemalloc.start()
    try:
        more = await growth(cls, options, tmp_path, keys, traced)
    finally:
        tracemalloc.stop()
    # An object is larger than 40 bytes; caches of Python and of other tests grow by some kilobytes.
    assert more < 20 * keys + 20_000, f"{more / keys} bytes a key"


@pytest.mark.skipif(sys.platform != "linux", reason="the resident memory is read from /proc")
@pytest.mark.timeout(900)
@pytest.mark.soak
@pytest.mark.parametrize(("cls", "keys"), [(Plain, 50_000), (Stateful, 20_000)])
async def test_the_process_does_not_grow(cls: type[Plain], keys: int, tmp_path: Path) -> None:
    keys = keys if IN_SOAK else keys // 4
    options = AgentOptions(max_active=ACTIVE, passivate_after=3600)
    more = await growth(cls, options, tmp_path, keys, resident)
    # A million keys may take 50 MB, beside what memory allocators keep.
    assert more < 50 * keys + (3_000_000 if IN_SOAK else 1_000_000), f"{more / keys} bytes a key"


def traced() -> int:
    """The memory of all Python objects since tracing has begun."""
    return tracemalloc.get_traced_memory()[0]


def resident() -> int:
    """The resident memory of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the system does not report it")
