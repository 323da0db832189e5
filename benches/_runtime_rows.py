"""The rows of the runtime bench."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import _features as features
import _floors as floors
import _mixed_load as mixed_load
import _scenarios as scenarios
import autogen_core
from _agents_and_messages import (
    FutureRequest,
    LargeRequest,
    NestedRequest,
    Notification,
    PydanticRequest,
    Request,
    SleepRequest,
)
from _measure import Bound, Row
from _scenarios import BATCH, columns

import ferrogen

BURST = 40_000
AGENTS = 100_000
SOURCES = (1, 50, 5_000)


def implementations() -> Row:
    """A request and its response, also by a task and by a hand-written actor."""
    message = Request(1)
    return Row(
        "RPC, sequential",
        {
            **columns(floors.bare(floors.respond, message), scenarios.send, message=message),
            "task": floors.tasks(message),
            "actor": partial(floors.actor, message),
        },
        "bare await",
    )


def sending() -> Iterator[Row]:
    """The rows in which the sender awaits a response."""
    request, model = Request(1), PydanticRequest(number=1, name="one")
    yield implementations()
    yield Row(
        "RPC, sequential, pydantic message",
        columns(floors.bare(floors.respond, model), scenarios.send, message=model),
        "bare await",
    )
    yield Row(
        "RPC, gather of 100",
        columns(floors.gathered(request, BATCH), scenarios.gather, message=request),
        "gather",
        step=BATCH,
    )
    for depth in (15, 100):
        floor = floors.bare(floors.nested, NestedRequest(depth - 1), depth)
        yield Row(
            f"RPC chain {depth} deep, per hop",
            columns(floor, scenarios.chain, depth=depth),
            "bare awaits, nested",
            step=depth,
        )
    yield Row(
        "RPC, handler does sleep(0)",
        columns(floors.bare(floors.sleep, request), scenarios.send, message=SleepRequest(1)),
        "bare await",
    )
    yield Row(
        "RPC, handler awaits a future",
        columns(
            floors.bare(floors.await_future, request), scenarios.send, message=FutureRequest(1)
        ),
        "bare await",
    )
    yield Row(
        "RPC, on_message_impl overridden",
        columns(
            floors.bare(floors.overridden, request),
            scenarios.send,
            message=request,
            recipient="overrider",
        ),
        "two bare awaits",
    )
    large = LargeRequest("x" * 1_000_000)
    yield Row(
        "RPC, 1 MB string in the message",
        columns(floors.bare(floors.respond_length, large), scenarios.send, message=large),
        "bare await",
    )


def observing() -> Iterator[Row]:
    """The rows with the event log or a tracer."""
    same = Bound("floor", ("floor",), 1.3)
    yield Row(
        "RPC, INFO event log on",
        columns(features.same_events, features.send_logged, message=Request(1)),
        "the same events, logged by a bare loop",
        bounds=[same],
    )
    yield Row(
        "RPC, recording tracer",
        columns(features.same_spans, features.send_traced, message=Request(1)),
        "the same spans, made by a bare loop",
        bounds=[same],
    )


def intercepting() -> Iterator[Row]:
    """The rows with an intervention handler."""
    request = Request(1)
    none = {"none": partial(scenarios.send, ferrogen, message=request)}
    revised = floors.bare(floors.intercepted, request)
    yield Row(
        "RPC, one intervention handler",
        columns(revised, features.send_intercepted, none, message=request, kind="overridden"),
        "three bare awaits",
        bounds=[Bound("no intervention handler", ("none",), 2e-6, is_difference=True)],
    )
    yield Row(
        "RPC, inherited intervention methods",
        columns(
            floors.bare(floors.respond, request),
            features.send_intercepted,
            none,
            message=request,
            kind="inherited",
        ),
        "bare await",
        bounds=[Bound("no intervention handler", ("none",), 1e-7, is_difference=True)],
    )
    task = {"task": floors.tasks(request, floors.intercepted_suspending)}
    yield Row(
        "RPC, intervention methods suspend",
        columns(
            floors.bare(floors.intercepted_suspending, request),
            features.send_intercepted,
            {**none, **task},
            message=request,
            kind="suspending",
        ),
        "three awaits, two suspend",
        bounds=[
            Bound("none + a task of the three", ("none", "task"), 1.0),
            Bound("upstream", ("upstream",), 1 / 15),
        ],
    )


def counting() -> Iterator[Row]:
    """The rows with the times of the statistics, beside the same with counts only."""
    request, most = Request(1), [Bound("counts only", ("counts",), 1.1)]
    yield Row(
        "RPC, statistics with times",
        columns(
            floors.bare(floors.respond, request),
            scenarios.send,
            {"counts": partial(scenarios.send, ferrogen, message=request, stats="counts")},
            message=request,
        ),
        "bare await",
        bounds=most,
    )
    yield Row(
        "fan-out to 100, statistics with times",
        columns(
            floors.counted(Notification(1), BATCH),
            scenarios.fan_out,
            {"counts": partial(scenarios.fan_out, ferrogen, size=BATCH, stats="counts")},
            size=BATCH,
        ),
        "bare awaits",
        step=BATCH,
        bounds=most,
    )


def limiting() -> Iterator[Row]:
    """The rows with `concurrency=1`, beside the same without a limit."""
    request = Request(1)
    yield Row(
        "RPC, concurrency=1",
        columns(
            floors.bare(floors.serial(floors.respond), request),
            scenarios.send,
            {"concurrent": partial(scenarios.send, ferrogen, message=request)},
            message=request,
            recipient="serial",
        ),
        "bare await in a semaphore",
        bounds=[Bound("unlimited concurrency", ("concurrent",), 1.2)],
    )
    for name, message, handler, most in (
        ("RPC, gather of 100, concurrency=1", request, floors.respond, 1.2),
        ("RPC, gather of 100, sleep(0), concurrency=1", SleepRequest(1), floors.sleep, 1.5),
    ):
        yield Row(
            name,
            columns(
                floors.gathered(request, BATCH, floors.serial(handler)),
                scenarios.gather,
                {"concurrent": partial(scenarios.gather, ferrogen, message=message)},
                message=message,
                recipient="serial",
            ),
            "gather in a semaphore",
            step=BATCH,
            bounds=[Bound("unlimited concurrency", ("concurrent",), most)],
        )


def publishing() -> Iterator[Row]:
    """The rows in which the publisher gets no response."""
    floor = floors.counted(Notification(1), BATCH)
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


def many_recipients() -> Iterator[Row]:
    """The rows with many topic sources or agents."""
    one_source = {
        "one source": partial(scenarios.publish_to_sources, ferrogen, sources=1, size=BATCH)
    }
    most = dict(zip(SOURCES, (2.0, 2.0, 4.0), strict=True))
    for size, name in ((BATCH, f"batches of {BATCH}"), (BURST, f"bursts of {BURST:,}")):
        for sources in SOURCES:
            is_reference = sources == 1 and size == BATCH
            row = columns(
                floors.counted(Notification(1), size, sources),
                scenarios.publish_to_sources,
                {} if is_reference else one_source,
                sources=sources,
                size=size,
            )
            bound = Bound(f"1 source, batches of {BATCH}", ("one source",), most[sources])
            yield Row(
                f"publish, {sources:,} topic source{'s' * (sources > 1)}, {name}",
                row,
                "bare awaits",
                step=size,
                bounds=() if is_reference else (bound,),
            )
    request = Request(1)
    yield Row(
        f"RPC to {AGENTS:,} agents in turn",
        columns(
            floors.in_turn(request, AGENTS),
            scenarios.send_in_turn,
            {"one agent": partial(scenarios.send_in_turn, ferrogen, message=request, agents=1)},
            message=request,
            agents=AGENTS,
        ),
        "bare awaits of as many objects",
        bounds=[Bound("1 agent", ("one agent",), 3.0)],
    )


def mixing() -> Iterator[Row]:
    """The row of a mixed load."""
    yield Row(
        "mixed load, per published message",
        columns(mixed_load.bare_bursts, mixed_load.logged_bursts),
        "gather, semaphores, the same events",
        step=mixed_load.BURST,
    )


def activating() -> Iterator[Row]:
    """The rows of what happens once for an agent or a subscription."""
    yield Row(
        "first message to a new agent",
        columns(scenarios.make_agents, scenarios.activate, message=Request(1)),
        "agent and id made",
        exactly=dict.fromkeys(("floor", "upstream", "ours", "task mode"), 2_000),
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
