"""Measures what one message costs: the floor, upstream, Ferrogen, and Ferrogen with plain tasks."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Iterator
from functools import partial

import _floors as floors
import _scenarios as scenarios
import autogen_core
from _cast import Ask, Form, Hop, Letter, News, Pause, Wait
from _measure import (
    Result,
    Row,
    announce,
    choose,
    duration,
    measure,
    measure_by_itself,
    options,
    save,
    show_table,
    times,
)
from _scenarios import BATCH, columns

import ferrogen

# What asyncio itself, and an actor written by hand, need for one answered message.
WAYS = {
    "bare await": "floor",
    "create_task and await": "task",
    "asyncio.Queue actor": "actor",
    "upstream": "upstream",
    "ours": "ours",
    "ours, plain tasks": "plain",
}


def ways_to_ask() -> Row:
    """The ways to get one answer, in one row, so that they share their rounds."""
    message = Ask(1)
    return Row(
        "RPC, sequential",
        {
            **columns(floors.bare(floors.answer, message), scenarios.ask, message=message),
            "task": floors.tasks(message),
            "actor": partial(floors.actor, message),
        },
        "bare await",
    )


def sending() -> Iterator[Row]:
    """The rows in which somebody waits for an answer."""
    ask, form = Ask(1), Form(number=1, name="one")
    bare = floors.bare(floors.answer, ask)
    yield ways_to_ask()
    yield Row(
        "RPC, sequential, pydantic message",
        columns(floors.bare(floors.answer, form), scenarios.ask, message=form),
        "bare await",
    )
    yield Row(
        "RPC, gather of 100",
        columns(floors.gathered(ask, BATCH), scenarios.gather, message=ask),
        "gather",
        step=BATCH,
    )
    for depth in (15, 100):
        yield Row(
            f"RPC chain {depth} deep, per hop",
            columns(floors.bare(floors.hop, Hop(depth - 1), depth), scenarios.chain, depth=depth),
            "bare awaits, nested",
            step=depth,
        )
    yield Row(
        "RPC, handler does sleep(0)",
        columns(floors.bare(floors.pause, ask), scenarios.ask, message=Pause(1)),
        "bare await",
    )
    yield Row(
        "RPC, handler awaits a future",
        columns(floors.bare(floors.wait, ask), scenarios.ask, message=Wait(1)),
        "bare await",
    )
    yield Row(
        "RPC, on_message_impl overridden",
        columns(
            floors.bare(floors.overridden, ask),
            scenarios.ask,
            message=ask,
            recipient="overrider",
        ),
        "two bare awaits",
    )
    letter = Letter("x" * 1_000_000)
    yield Row(
        "RPC, 1 MB string in the message",
        columns(floors.bare(floors.measure_letter, letter), scenarios.ask, message=letter),
        "bare await",
    )
    yield Row(
        "RPC, INFO event log on", columns(bare, scenarios.ask_logged, message=ask), "bare await"
    )
    yield Row(
        "RPC, recording tracer", columns(bare, scenarios.ask_traced, message=ask), "bare await"
    )


def publishing() -> Iterator[Row]:
    """The rows in which nobody waits for an answer."""
    floor = floors.counted(News(1), BATCH)
    for name, subscribe in (
        ("publish to 1 subscriber", scenarios.by_type),
        ("publish, matched by prefix", scenarios.by_prefix),
        ("publish, 1 of 2,000 subscriptions", scenarios.among_many),
    ):
        row = columns(floor, scenarios.publish, subscribe=subscribe)
        yield Row(name, row, "bare awaits", step=BATCH)
    yield Row(
        "fan-out to 100, per delivery",
        columns(floor, scenarios.fan_out, size=BATCH),
        "bare awaits",
        step=BATCH,
    )


def once_in_a_while() -> Iterator[Row]:
    """The rows of what happens once for an agent or a subscription."""
    yield Row(
        "first message to a new agent",
        columns(scenarios.make_agents, scenarios.activate, message=Ask(1)),
        "agent and id made",
        exactly=dict.fromkeys(("floor", "upstream", "ours", "plain"), 2_000),
    )
    for topics, few in ((1_000, 10), (100_000, 2)):
        yield Row(
            f"add_subscription after {topics:,} topics",
            {
                "upstream": partial(scenarios.subscribe_late, autogen_core, topics=topics),
                "ours": partial(scenarios.subscribe_late, ferrogen, topics=topics),
            },
            exactly={"upstream": few, "ours": 1_000},
        )


def as_cells(result: Result) -> list[str]:
    """The cells of one row of the table."""
    known = result.samples
    floor = f"{duration(result.median('floor'))}" if "floor" in known else "-"
    return [
        result.name,
        floor,
        duration(result.median("upstream")),
        duration(result.median("ours")),
        duration(result.median("plain")) if "plain" in known else "-",
        times(result.ratio("upstream", "ours")),
        times(result.ratio("ours", "floor")) if "floor" in known else "-",
        f"{max(result.spread('upstream'), result.spread('ours')):.0%}",
    ]


def show_ways(result: Result) -> None:
    """Prints what the ways to get one answer cost."""
    show_table(
        ["one answered message", "time", "ours is", "spread"],
        [
            [
                way,
                duration(result.median(column)),
                times(result.ratio(column, "ours")) + " as fast",
                f"{result.spread(column):.0%}",
            ]
            for way, column in WAYS.items()
        ],
    )


async def main() -> None:
    chosen = options(__doc__ or "")
    rounds, seconds = (5, 0.01) if chosen.quick else (9, 0.05)
    announce()
    gc.freeze()  # what was imported is not looked at again by every collection
    results = []
    rows = choose((*sending(), *publishing(), *once_in_a_while()), chosen.only)
    for row in rows:
        if len(rows) == 1:
            results.append(await measure(row, rounds=rounds, seconds=seconds))
        else:
            results.append(measure_by_itself(__file__, row, quick=chosen.quick))
        print(".", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    head = ["scenario", "floor", "upstream", "ours", "plain tasks"]
    show_table([*head, "x upstream", "x floor", "spread"], map(as_cells, results))
    for result in results:
        if "actor" in result.samples:
            show_ways(result)
    save(chosen.json, results)


if __name__ == "__main__":
    asyncio.run(main())
