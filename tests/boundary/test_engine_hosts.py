"""Errors of the host, and of the builds and limits of agents, lose no message."""

from __future__ import annotations

import asyncio
from contextvars import copy_context
from typing import Any

import pytest

from ferrogen import AgentId, MessageContext, TopicId
from ferrogen._core import Engine, Routes

from .engines import CRITIC, WRITER, Agent, Host, make_engine, open_engine, outcome_of


class Failure(Exception):
    """An error of a host."""


@pytest.mark.parametrize(
    "name",
    ["enter", "is_registered", "entry_point", "build_inline", "start_build", "no_subscribers"],
)
async def test_an_error_of_the_host_loses_no_message_and_no_later_one(name: str) -> None:
    class Failing(Host):
        fails = True

    def fail(*arguments: Any) -> Any:
        if host.fails:
            raise Failure(name)
        return getattr(Host, name)(host, *arguments) if name in vars(Host) else None

    host = Failing()
    setattr(host, name, fail)
    # An open engine does not call `enter`.
    engine = make_engine(host) if name == "enter" else open_engine(host)
    loop_errors: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: loop_errors.append(context))
    agent = Agent()
    await agent.bind_id_and_runtime(id=WRITER, runtime=None)  # type: ignore[arg-type]
    engine.enter(WRITER, agent)
    calls = [
        engine.send_message("x", WRITER),
        engine.send_message("x", CRITIC),
        engine.publish_message("x", TopicId("t", "1")),
    ]
    asked = [asyncio.ensure_future(outcome_of(one)) for one in calls]
    for _ in range(20):
        await asyncio.sleep(0)
    host.fails = False
    engine.open(asyncio.get_running_loop(), copy_context(), is_traced=False)
    assert await engine.send_message("y", WRITER) == "y"
    engine.shut()
    engine.drain("over")
    for _ in range(5):
        await asyncio.sleep(0)
    outcomes = [one.result() for one in asked]
    errors = [one for one in outcomes if isinstance(one, Failure)]
    errors += [context["exception"] for context in loop_errors]
    errors += [arguments[1] for method, arguments in host.calls if method == "routing_failed"]
    assert errors
    assert {type(one) for one in errors} == {Failure}
    counts = engine.tally()
    assert counts.pop("accepted") == sum(counts.values())


@pytest.mark.parametrize("host", [None, 1, object(), AgentId("a", "b")])
async def test_an_engine_with_a_host_that_is_none_raises_and_does_not_crash(host: Any) -> None:
    engine = Engine(
        host=host, routes=Routes(), loggers=("a", "b"), interceptors=[], kept=set(), task_mode=False
    )
    with pytest.raises(AttributeError):
        await engine.send_message("x", WRITER)
    with pytest.raises(AttributeError):
        await engine.publish_message("x", TopicId("t", "1"))
    assert engine.tally()["accepted"] == 0
    assert engine.idle


@pytest.mark.parametrize("response", [None, 1, "text", object(), int])
async def test_an_entry_point_that_is_no_function_fails_its_message(response: Any) -> None:
    class Odd(Host):
        def entry_point(self, agent: Any) -> Any:
            return response

    engine = open_engine(Odd())
    engine.enter(WRITER, object())  # type: ignore[arg-type]
    with pytest.raises((TypeError, AttributeError)):
        await engine.send_message("x", WRITER)
    assert engine.idle
    engine.shut()


# Agents.


async def test_an_agent_is_built_and_entered_once() -> None:
    """A1."""
    engine = make_engine()
    engine.enter(WRITER, Agent())
    engine.build(CRITIC)
    for agent_id in (WRITER, CRITIC):
        with pytest.raises(RuntimeError, match="an agent with this id already exists"):
            engine.build(agent_id)
        with pytest.raises(RuntimeError, match="an agent with this id already exists"):
            engine.enter(agent_id, Agent())
    assert engine.instance(CRITIC) is None
    assert [agent_id for agent_id, _ in engine.instances()] == [WRITER]


@pytest.mark.parametrize(
    ("exists", "match"),
    [(False, "the agent is not in the directory"), (True, "not in the required stage")],
)
async def test_a_report_about_an_agent_that_is_not_being_built_is_rejected(
    exists: bool, match: str
) -> None:
    engine = make_engine()
    if exists:
        engine.enter(WRITER, Agent())
    for report in (
        lambda: engine.built(WRITER, Agent()),
        lambda: engine.build_failed(WRITER, OSError("no")),
    ):
        with pytest.raises(RuntimeError, match=match):
            report()
    assert len(engine.instances()) == exists


async def test_the_error_of_a_build_goes_to_its_senders_and_the_next_build_is_another() -> None:
    engine = open_engine()
    error = OSError("no disk")
    asked = [asyncio.ensure_future(outcome_of(engine.send_message(n, WRITER))) for n in range(3)]
    for _ in range(4):
        await asyncio.sleep(0)
    assert engine.waiting == 3
    engine.build_failed(WRITER, error)
    assert await asyncio.gather(*asked) == [error] * 3
    assert engine.tally()["failed"] == 3
    asked = [asyncio.ensure_future(engine.send_message(n, WRITER)) for n in range(3)]
    for _ in range(4):
        await asyncio.sleep(0)
    engine.built(WRITER, Agent())
    assert await asyncio.gather(*asked) == [0, 1, 2]
    assert (engine.idle, engine.waiting) == (True, 0)
    engine.shut()


@pytest.mark.parametrize("wrong", [0, -1, 1.5, "1", 2**64])
@pytest.mark.parametrize("name", ["concurrency", "capacity", "max_active"])
def test_limits_are_positive_whole_numbers(name: str, wrong: Any) -> None:
    options: dict[str, Any] = {
        "concurrency": None,
        "reentrant": False,
        "capacity": None,
        "overflow": "reject",
        "passivate_after": None,
        "max_active": None,
    }
    make_engine().configure("writer", **options)
    with pytest.raises((TypeError, ValueError, OverflowError)):
        make_engine().configure("writer", **{**options, name: wrong})


@pytest.mark.parametrize(
    ("overflow", "refused"), [("reject", 2), ("drop_newest", 2), ("drop_oldest", 1)]
)
async def test_a_full_mailbox_refuses_the_newest_or_the_oldest_message(
    overflow: str, refused: int
) -> None:
    gate = asyncio.Event()

    class Waiting(Agent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            await gate.wait()
            return message

    engine = open_engine()
    engine.configure(
        "writer",
        concurrency=1,
        reentrant=False,
        capacity=1,
        overflow=overflow,
        passivate_after=None,
        max_active=None,
    )
    engine.enter(WRITER, Waiting())
    asked = [asyncio.ensure_future(outcome_of(engine.send_message(n, WRITER))) for n in range(3)]
    for _ in range(4):
        await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*asked)
    assert [isinstance(one, RuntimeError) for one in outcomes] == [n == refused for n in range(3)]
    assert engine.tally()["dead_lettered"] == 1
    engine.shut()
