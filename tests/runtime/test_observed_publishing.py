"""Observed published messages: inline execution reports what task mode does, in order."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from ferrogen import (
    ROOT_LOGGER_NAME,
    AgentId,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    try_get_known_serializers_for_type,
)

from .failing_handlers import Note, is_cancelled, raises, waits_and_raises
from .function_agents import Doing, is_idle, register, until_idle
from .journal import Journal

NEWS = TopicId("news", "1")


async def ends(agent: Any, message: Note, ctx: Any) -> None: ...


async def waits(agent: Any, message: Note, ctx: Any) -> None:
    await asyncio.sleep(0)


async def changes_the_message(agent: Any, message: Note, ctx: Any) -> None:
    message.text += "!"


async def logs(agent: Any, message: Note, ctx: Any) -> None:
    logging.getLogger(ROOT_LOGGER_NAME).info("before")
    await asyncio.sleep(0)
    logging.getLogger(ROOT_LOGGER_NAME).info("after")


async def publishes(agent: Any, message: Note, ctx: Any) -> None:
    if message.text == "first":
        await agent.publish_message(Note("third"), NEWS)


HANDLERS = [
    ends,
    waits,
    raises,
    waits_and_raises,
    is_cancelled,
    changes_the_message,
    logs,
    publishes,
]


class Nowhere(TypeSubscription):
    """A subscription that cannot say who is subscribed."""

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        logging.getLogger(ROOT_LOGGER_NAME).info("asked")
        raise LookupError("it is lost")


async def reports(
    acts: Sequence[Callable[..., Any]],
    monkeypatch: pytest.MonkeyPatch,
    *,
    plain: bool,
    prepare: Callable[[SingleThreadedAgentRuntime], Any] | None = None,
    logged: bool = True,
    traced: bool = True,
    one_by_one: bool = False,
    **settings: Any,
) -> tuple[list[Any], int]:
    """Publish two messages per act to agents; return the reports, and how many ran inline."""
    monkeypatch.setenv("FERROGEN_PLAIN_TASKS", "1" if plain else "")
    journal, inline = Journal(), 0
    if traced:
        settings["tracer_provider"] = TracerProvider(shutdown_on_exit=False)
        settings["tracer_provider"].add_span_processor(journal)
    runtime = SingleThreadedAgentRuntime(**settings)

    async def noted(agent: Doing, message: Any, ctx: Any, act: Any) -> None:
        nonlocal inline
        inline += runtime._engine.is_running
        await act(agent, message, ctx)

    for number, act in enumerate(acts):
        name = f"agent-{number}"
        await register(runtime, name, lambda *given, act=act: noted(*given, act))
        await runtime.add_subscription(TypeSubscription("news", name))
        await runtime.try_get_underlying_agent_instance(AgentId(name, "1"))
    runtime.add_message_serializer(try_get_known_serializers_for_type(Note))
    if prepare is not None:
        await prepare(runtime)
    runtime.start()
    listening = journal.listening() if logged else nullcontext()
    with listening:
        # An error that no sender waits for is raised here, if it halts the runtime.
        with suppress(ValueError, LookupError):
            for text in ("first", "second"):
                await runtime.publish_message(
                    Note(text), NEWS, sender=AgentId("agent-9", 'its "key"'), message_id=text
                )
                if one_by_one:
                    await until_idle(runtime)
            await runtime.stop_when_idle()
        await runtime.close()
    return journal.lines, inline


SUSPENDING = {waits, waits_and_raises, logs, publishes}


@pytest.mark.parametrize("act", HANDLERS)
@pytest.mark.parametrize(("logged", "traced"), [(True, True), (True, False), (False, True)])
async def test_inline_execution_reports_what_task_mode_does(
    act: Any, logged: bool, traced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The order in which suspended handlers of several messages resume depends on the event loop.
    how = {"logged": logged, "traced": traced, "one_by_one": act in SUSPENDING}
    native, inline = await reports((act, ends, act), monkeypatch, plain=False, **how)
    plain, _ = await reports((act, ends, act), monkeypatch, plain=True, **how)
    assert inline >= 6
    assert native
    assert native == plain


async def an_agent_is_not_there(runtime: SingleThreadedAgentRuntime) -> None:
    await register(runtime, "late", waits)
    await runtime.add_subscription(TypeSubscription("news", "late"))


async def an_agent_is_unknown(runtime: SingleThreadedAgentRuntime) -> None:
    await runtime.add_subscription(TypeSubscription("news", "unknown"))


async def a_subscription_fails(runtime: SingleThreadedAgentRuntime) -> None:
    await runtime.add_subscription(Nowhere("news", "unregistered"))


async def nothing_else(runtime: SingleThreadedAgentRuntime) -> None: ...


PREPARATIONS = [an_agent_is_not_there, an_agent_is_unknown, a_subscription_fails, nothing_else]
# Whether an error halts the runtime before or after an agent is built depends on loop iterations.
OUTCOMES = [
    (prepare, acts, ignores)
    for prepare in PREPARATIONS
    for acts in ((), (ends,), (raises, ends))
    for ignores in (True, False)
    if not (prepare is an_agent_is_not_there and raises in acts and not ignores)
]


@pytest.mark.parametrize(("prepare", "acts", "ignores"), OUTCOMES)
async def test_outcomes_of_a_message_are_reported_as_in_task_mode(
    prepare: Any, acts: Any, ignores: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    how: dict[str, Any] = {"prepare": prepare, "ignore_unhandled_exceptions": ignores}
    # The event loop decides whether an agent is built before the next message is taken.
    how["one_by_one"] = prepare is an_agent_is_not_there
    native, _ = await reports(acts, monkeypatch, plain=False, **how)
    plain, _ = await reports(acts, monkeypatch, plain=True, **how)
    assert native
    assert native == plain


async def test_a_cancelled_handler_is_reported_too(monkeypatch: pytest.MonkeyPatch) -> None:
    async def cancels_itself(agent: Any, message: Note, ctx: Any) -> None:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)
        await asyncio.Event().wait()

    acts = (cancels_itself, ends, cancels_itself)
    native, inline = await reports(acts, monkeypatch, plain=False, one_by_one=True)
    plain, _ = await reports(acts, monkeypatch, plain=True, one_by_one=True)
    assert inline == 6
    assert sum("Error processing publish message" in str(line) for line in native) == 4
    assert native == plain


async def test_the_span_of_a_handler_is_current_in_it_and_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = []

    async def looks(agent: Any, message: Note, ctx: Any) -> None:
        seen.append(trace.get_current_span().is_recording())

    _, inline = await reports((looks, looks), monkeypatch, plain=False)
    assert inline == 4
    assert seen == [True] * 4
    assert not trace.get_current_span().is_recording()


@pytest.mark.parametrize("act", [ends, waits])
def test_a_log_handler_that_ends_the_program_leaves_no_message_open(
    act: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FERROGEN_PLAIN_TASKS", raising=False)
    kept = []

    class Unruly(Journal):
        def emit(self, record: logging.LogRecord) -> None:
            if "reaches" in record.getMessage():
                raise KeyboardInterrupt("stop")

    async def program() -> None:
        runtime = SingleThreadedAgentRuntime()
        kept.append(runtime)
        await register(runtime, "a", act)
        await runtime.add_subscription(TypeSubscription("news", "a"))
        await runtime.try_get_underlying_agent_instance(AgentId("a", "1"))
        runtime.start()
        with Unruly().listening():
            await runtime.publish_message(Note("x"), NEWS)
            await runtime.stop_when_idle()

    with pytest.raises(KeyboardInterrupt, match="stop"):
        asyncio.run(program())
    assert is_idle(kept[0])
