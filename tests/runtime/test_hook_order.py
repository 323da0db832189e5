"""The hooks of agents, at each way in which an agent comes and goes: the table of the guide."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ferrogen import (
    AgentOptions,
    InMemoryStateStore,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    Supervision,
    rpc,
)
from ferrogen.testing import run

from .sleepers import A, Add

Runtime = SingleThreadedAgentRuntime


class Tracked(RoutedAgent):
    """An agent that records each method that the runtime calls, with the number of the instance."""

    def __init__(self, world: World) -> None:
        super().__init__("is tracked")
        world.built += 1
        self.number = world.built
        self.world = world
        self.note("factory")

    def note(self, name: str) -> None:
        self.world.calls.append(f"{self.number} {name}")
        if (self.number, name) in self.world.failing:
            self.world.failing.remove((self.number, name))
            raise OSError(f"{name} of {self.number}")

    async def on_activate(self) -> None:
        self.note("on_activate")
        if self.number in self.world.waiting:
            await asyncio.Event().wait()

    async def on_deactivate(self) -> None:
        self.note("on_deactivate")

    async def on_restart(self, error: BaseException) -> None:
        self.note("on_restart")

    async def save_state(self) -> dict[str, Any]:
        self.note("save_state")
        return {"number": self.number}

    async def load_state(self, state: Any) -> None:
        self.note("load_state")

    async def close(self) -> None:
        self.note("close")

    @rpc
    async def on_add(self, message: Add, ctx: MessageContext) -> int:
        if message.number < 0:
            raise KeyError(message.number)
        return message.number


class World:
    """A runtime with one type of agents."""

    def __init__(self, *, has_store: bool, options: AgentOptions) -> None:
        self.calls: list[str] = []
        self.built = 0
        self.failing: set[tuple[int, str]] = set()
        self.waiting: set[int] = set()
        """The instances whose activation does not end."""
        self.options = options
        self.runtime = Runtime(state_store=InMemoryStateStore() if has_store else None)

    async def start(self) -> None:
        await Tracked.register(self.runtime, "counter", lambda: Tracked(self))
        self.runtime.set_agent_options("counter", self.options)
        self.runtime.start()

    async def send(self, number: int = 1) -> None:
        _ = await asyncio.gather(self.runtime.send_message(Add(number), A), return_exceptions=True)
        await asyncio.sleep(0.01)


async def build(world: World) -> None:
    await world.send()


async def fail_activation(world: World) -> None:
    world.failing.add((1, "on_activate"))
    await world.send()


async def passivate(world: World) -> None:
    await world.send()
    world.calls.clear()
    await asyncio.sleep(11)


async def build_again(world: World) -> None:
    await passivate(world)
    world.calls.clear()
    await world.send()


async def fail(world: World) -> None:
    await world.send()
    world.calls.clear()
    await world.send(-1)


async def close_runtime(world: World) -> None:
    await world.send()
    world.calls.clear()
    await world.runtime.close()


async def close_while_activating(world: World) -> None:
    world.waiting.add(1)
    sending = asyncio.ensure_future(world.send())
    await asyncio.sleep(1)
    await world.runtime.close()
    await sending


async def close_during_restart(world: World) -> None:
    await world.send()
    world.calls.clear()
    world.waiting.add(2)
    await world.send(-1)
    await world.runtime.close()


RESTART = Supervision(on_failure="restart")
KEEP = Supervision(on_failure="restart", keep_state=True)
STOP = Supervision(on_failure="stop")

ROWS: dict[str, tuple[Callable[[World], Awaitable[None]], dict[str, Any], str]] = {
    "built": (build, {}, "new: on_activate, (load_state)"),
    "built again after passivation": (
        build_again,
        {"passivate_after": 10},
        "new: on_activate, (load_state)",
    ),
    "passivated": (passivate, {"passivate_after": 10}, "old: (save_state), on_deactivate, close"),
    "restarted": (
        fail,
        {"supervision": RESTART},
        "old: on_deactivate, close; new: on_activate, on_restart",
    ),
    "restarted with keep_state": (
        fail,
        {"supervision": KEEP},
        "old: save_state, on_deactivate, close; new: on_activate, load_state, on_restart",
    ),
    "stopped": (fail, {"supervision": STOP}, "old: on_deactivate, close"),
    "closed with its runtime": (close_runtime, {}, "old: (save_state), on_deactivate, close"),
    "not activated, because on_activate raises": (
        fail_activation,
        {},
        "new: on_activate, close",
    ),
    "not activated, because its runtime closes": (
        close_while_activating,
        {},
        "new: on_activate, close",
    ),
}


def expected(row: str, *, has_store: bool, is_first: bool) -> list[str]:
    """What a row of the table says, for the first instance or the second."""
    row = re.sub(r"\((\w+)\)", r"\1" if has_store else "", row)
    calls = []
    for part in row.split("; "):
        whose, names = part.split(": ")
        number = 1 if whose == "old" or is_first else 2
        before = ["factory"] if whose == "new" else []
        calls += [f"{number} {name}" for name in before + [one for one in names.split(", ") if one]]
    return calls


@pytest.mark.parametrize("has_store", [False, True])
@pytest.mark.parametrize("name", list(ROWS))
def test_the_hooks_are_called_in_their_order(name: str, has_store: bool) -> None:
    act, options, row = ROWS[name]

    async def main() -> None:
        world = World(has_store=has_store, options=AgentOptions(**options))
        await world.start()
        await act(world)
        is_first = act in (build, fail_activation, close_while_activating)
        # The first instance finds no state in the store.
        row_here = row.replace(", (load_state)", "") if act is build else row
        assert world.calls == expected(row_here, has_store=has_store, is_first=is_first)
        await world.runtime.close()

    run(main())


def test_the_guide_has_the_same_table() -> None:
    guide = Path(__file__).parents[2] / "docs" / "guides" / "messaging-agents.md"
    text = guide.read_text(encoding="utf-8")
    table = dict(re.findall(r"^\| ([^|]+?) \| ((?:old|new): [^|]+?) \|", text, re.M))
    assert {name: one.replace("`", "") for name, one in table.items()} == {
        name: row for name, (_, _, row) in ROWS.items()
    }


def test_a_runtime_that_closes_during_a_restart_closes_the_new_instance(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        world = World(has_store=False, options=AgentOptions(supervision=RESTART))
        await world.start()
        await close_during_restart(world)
        assert world.calls == [
            "1 on_deactivate",
            "1 close",
            "2 factory",
            "2 on_activate",
            "2 close",
        ]

    run(main())
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == []


@pytest.mark.parametrize(
    ("failing", "calls"),
    [
        ("on_activate", ["2 factory", "2 on_activate", "2 close"]),
        (
            "load_state",
            ["2 factory", "2 on_activate", "2 load_state", "2 on_deactivate", "2 close"],
        ),
        (
            "on_restart",
            [
                "2 factory",
                "2 on_activate",
                "2 load_state",
                "2 on_restart",
                "2 on_deactivate",
                "2 close",
            ],
        ),
    ],
)
def test_a_hook_that_raises_during_a_restart_is_one_more_failure(
    failing: str, calls: list[str]
) -> None:
    async def main() -> None:
        world = World(has_store=False, options=AgentOptions(supervision=KEEP))
        await world.start()
        await world.send()
        world.calls.clear()
        world.failing.add((2, failing))
        await world.send(-1)
        old = ["1 save_state", "1 on_deactivate", "1 close"]
        new = ["3 factory", "3 on_activate", "3 load_state", "3 on_restart"]
        assert world.calls == [*old, *calls, *new]
        await world.runtime.close()

    run(main())


@pytest.mark.parametrize("failing", ["on_deactivate", "close"])
def test_an_agent_that_cannot_be_closed_is_replaced_all_the_same(
    failing: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        world = World(has_store=False, options=AgentOptions(supervision=RESTART))
        await world.start()
        world.failing.add((1, failing))
        await fail(world)
        new = ["2 factory", "2 on_activate", "2 on_restart"]
        assert world.calls == ["1 on_deactivate", "1 close", *new]
        await world.runtime.close()

    run(main())
    assert [one.getMessage() for one in caplog.records if one.levelname == "ERROR"] == [
        "closing agent counter/a failed"
    ]


def test_a_state_that_is_carried_over_is_kept_if_the_runtime_closes_meanwhile() -> None:
    async def main() -> None:
        world = World(has_store=True, options=AgentOptions(supervision=KEEP))
        await world.start()
        await close_during_restart(world)
        store = world.runtime.state_store
        assert store is not None
        assert await store.load(A) == {"number": 1}

    run(main())
