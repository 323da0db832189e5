"""Measures the memory of an idle agent, and the time to import the packages."""

from __future__ import annotations

import statistics
from collections.abc import Callable

from _measure import Result, announce, in_new_process, options, save
from _tables import duration, show_table, times

IDLE_AGENTS = """
import asyncio, gc, sys
sys.path.insert(0, {folder!r})
import autogen_core, ferrogen
from _agents_and_messages import Request, started_runtime
from _measure import resident

core, how, count = {package}, {how!r}, {count}

async def grown():
    async with started_runtime(core) as on:
        # The list exists before the first reading, so that it does not count.
        kept = [None] * (count + 2_000)
        places = iter(range(len(kept)))
        populate = core.AgentInstantiationContext.populate_context

        async def make(key):
            agent_id = core.AgentId("responder", key)
            if how == "used":
                await on.runtime.send_message(Request(1), agent_id)
            elif how == "made":
                await on.runtime.try_get_underlying_agent_instance(agent_id)
            else:
                with populate((on.runtime, agent_id)):
                    kept[next(places)] = on.Responder()

        for number in range(2_000):
            await make(f"warm-{{number}}")
        gc.collect()
        before = resident()
        for number in range(count):
            await make(str(number))
        gc.collect()
        return (resident() - before) / count

print(asyncio.run(grown()))
"""

IMPORT = """
import time
start = time.perf_counter()
import {package}
print(time.perf_counter() - start)
"""

PACKAGES = {"upstream": "autogen_core", "ours": "ferrogen"}


def in_both(name: str, rounds: int, weigh: Callable[[str], float]) -> Result:
    """Measures both packages, one after the other in each round."""
    samples: dict[str, list[float]] = {column: [] for column in PACKAGES}
    for _ in range(rounds):
        for column, package in PACKAGES.items():
            samples[column].append(weigh(package))
    return Result(name, samples)


def beyond(whole: Result, alone: Result, name: str) -> Result:
    """The difference of two results."""
    samples = {
        column: [
            total - part
            for total, part in zip(whole.samples[column], alone.samples[column], strict=True)
        ]
        for column in PACKAGES
    }
    return Result(name, samples)


def idle_agents(rounds: int, count: int) -> list[Result]:
    """Measures agents that exist and are idle."""

    def grown(how: str, package: str) -> float:
        return in_new_process(IDLE_AGENTS, package=package, how=how, count=count)

    alone = in_both("agent and its id, kept in a list", rounds, lambda of: grown("alone", of))
    made = in_both("agent in a runtime", rounds, lambda of: grown("made", of))
    used = in_both("agent in a runtime, after a message", rounds, lambda of: grown("used", of))
    return [
        alone,
        made,
        used,
        beyond(made, alone, "the runtime's part of an agent"),
        beyond(used, alone, "the runtime's part, after a message"),
    ]


def main() -> None:
    chosen = options(__doc__ or "")
    rounds, count = (2, 10_000) if chosen.quick else (3, 20_000)
    announce()
    weighed = idle_agents(rounds, count)
    show_table(
        ["memory of an idle agent", "upstream", "ours", "spread of ours"],
        [
            [
                result.name,
                *(f"{statistics.median(result.samples[column]):,.0f} bytes" for column in PACKAGES),
                f"{max(result.samples['ours']) - min(result.samples['ours']):,.0f} bytes",
            ]
            for result in weighed
        ],
    )
    imported = in_both(
        "import", 5 if chosen.quick else 10, lambda of: in_new_process(IMPORT, package=of)
    )
    show_table(
        ["time to import", "upstream", "ours", "x upstream", "spread"],
        [
            [
                "a new interpreter each time",
                duration(imported.median("upstream")),
                duration(imported.median("ours")),
                times(imported.ratio("upstream", "ours")),
                f"{max(imported.spread('upstream'), imported.spread('ours')):.0%}",
            ]
        ],
    )
    save(chosen.json, [*weighed, imported])


if __name__ == "__main__":
    main()
