"""Memory of agents that are visited once: a million keys, of which a thousand stay in memory.

Prints by how many MB the process grows, and the time for one key: for agents without a state, and
for agents whose state goes to an SQLite file. `make bench` visits 100,000 keys; `--keys 1000000` is
the whole of it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ferrogen import (
    AgentId,
    AgentOptions,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    SqliteStateStore,
    rpc,
)

ALLOWED_MB = 50
MAX_ACTIVE = 1000
TOGETHER = 200
"""How many keys are visited at the same time."""


@dataclass
class Visit:
    """A message."""


class Plain(RoutedAgent):
    """An agent without a state."""

    def __init__(self) -> None:
        super().__init__("is visited")
        self.visits = 0

    @rpc
    async def on_visit(self, message: Visit, ctx: MessageContext) -> int:
        self.visits += 1
        return self.visits


class Counting(Plain):
    """An agent with a state."""

    async def save_state(self) -> Mapping[str, Any]:
        return {"visits": self.visits}

    async def load_state(self, state: Mapping[str, Any]) -> None:
        self.visits = state["visits"]


def resident_mb() -> float:
    """The resident memory of this process."""
    gc.collect()
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not report the resident memory")


async def visit(runtime: SingleThreadedAgentRuntime, keys: range) -> None:
    """Send one message to each key, some at a time."""
    for first in range(keys.start, keys.stop, TOGETHER):
        some = range(first, min(first + TOGETHER, keys.stop))
        sends = (runtime.send_message(Visit(), AgentId("agent", str(key))) for key in some)
        responses = await asyncio.gather(*sends)
        assert set(responses) == {1}


async def measure(name: str, cls: type[Plain], keys: int, store: SqliteStateStore | None) -> bool:
    """Visit the keys, and print what it takes. Return whether it is little enough."""
    runtime = SingleThreadedAgentRuntime(state_store=store)
    await cls.register(runtime, "agent", cls)
    runtime.set_agent_options("agent", AgentOptions(max_active=MAX_ACTIVE))
    runtime.start()
    warm = 5 * MAX_ACTIVE
    await visit(runtime, range(warm))
    before = resident_mb()
    started = time.perf_counter()
    await visit(runtime, range(warm, warm + keys))
    seconds = time.perf_counter() - started
    growth = resident_mb() - before
    active = len(runtime.agents())
    await runtime.stop_when_idle()
    await runtime.close()
    print(
        f"{name:28}{keys:>10} keys {growth:8.1f} MB more {1e6 * seconds / keys:8.1f} us a key "
        f"{active:>6} in memory"
    )
    return growth < ALLOWED_MB and active <= MAX_ACTIVE


async def main(keys: int) -> bool:
    """Measure both."""
    is_little = await measure("without a state", Plain, keys, None)
    with TemporaryDirectory() as folder:
        async with SqliteStateStore(Path(folder) / "agents.sqlite") as store:
            is_little &= await measure("with an SQLite store", Counting, keys, store)
    return is_little


def number_of_keys() -> int:
    """Read the command line. The options of other benches are ignored."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, default=100_000, help="how many keys are visited")
    parser.add_argument("--quick", action="store_true", help="20,000 keys")
    options, _ = parser.parse_known_args()
    return 20_000 if options.quick else int(options.keys)


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(number_of_keys())) else 1)
