"""The garbage collector sees all that an object of the extension refers to."""

from __future__ import annotations

import asyncio
import gc
from contextvars import copy_context
from types import CoroutineType
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    CancellationToken,
    MessageContext,
    SingleThreadedAgentRuntime,
    _core,
)
from ferrogen._core import Engine, Handlers, PublishEnvelope, Routes

from .engines import Agent, Host, NamedThing, Thing, make_engine


def referents(one: Any) -> list[Any]:
    return gc.get_referents(one)


def refers(one: Any, *others: Any) -> bool:
    found = [id(other) for other in referents(one)]
    return all(id(other) in found for other in others)


async def test_the_collector_sees_what_an_engine_refers_to() -> None:
    host, routes, interceptors, tasks = Host(), Routes(), [], set()  # type: ignore[var-annotated]
    engine = Engine(
        host=host,
        routes=routes,
        loggers=("a", "b"),
        interceptors=interceptors,
        kept=tasks,
        task_mode=False,
    )
    agent, agent_id, message = Agent(), NamedThing("writer", "1"), Thing()
    context = copy_context()
    engine.open(asyncio.get_running_loop(), context, is_traced=False)
    engine.enter(agent_id, agent)
    assert refers(engine, host, routes, interceptors, tasks, agent, agent_id, context)
    assert refers(engine, asyncio.get_running_loop())
    await agent.bind_id_and_runtime(id=agent_id, runtime=None)  # type: ignore[arg-type]
    assert await engine.send_message(message, agent_id) is message
    assert any(type(one).__name__ == "Execution" for one in referents(engine))  # of a pooled task
    engine.shut()


@pytest.mark.filterwarnings("ignore:.*never awaited:RuntimeWarning")
async def test_the_collector_sees_what_a_send_refers_to() -> None:
    engine, message, sender, token = make_engine(), Thing(), Thing(), CancellationToken()
    recipient, message_id = NamedThing("writer", "1"), "".join(["an", " id"])
    send = engine.send_message(
        message,
        recipient,
        sender=sender,  # type: ignore[arg-type]
        cancellation_token=token,
        message_id=message_id,
    )
    assert refers(send, engine, message, sender, token, recipient, message_id)


def test_the_collector_sees_what_an_envelope_refers_to() -> None:
    parts = [Thing() for _ in range(5)]
    message, sender, token, observer, topic = parts
    envelope = PublishEnvelope(
        message,
        topic,  # type: ignore[arg-type]
        sender,  # type: ignore[arg-type]
        cancellation_token=token,  # type: ignore[arg-type]
        observer=observer,  # type: ignore[arg-type]
    )
    assert refers(envelope, *parts)
    assert refers(envelope.message_context(), envelope)


def test_the_collector_sees_what_handlers_refer_to() -> None:
    class Message:
        pass

    def function() -> None: ...
    def matches() -> None: ...
    def check() -> None: ...

    handlers = Handlers([(Message, [(function, None, matches, [int], check)])])
    assert refers(handlers, Message)
    (handler,) = [one for one in referents(handlers) if type(one).__name__ == "Handler"]
    assert refers(handler, function, matches, int, check)


async def test_the_collector_sees_what_a_suspended_handler_refers_to() -> None:
    gate = asyncio.Event()

    class Waiting(Agent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            if message is None:
                await self.send_message("x", AgentId("b", "1"))
            await gate.wait()

    runtime = SingleThreadedAgentRuntime()
    for name in "ab":
        await runtime.register_agent_instance(Waiting(), AgentId(name, "1"))
    runtime.start()
    asking = asyncio.ensure_future(runtime.send_message(None, AgentId("a", "1")))
    await asyncio.sleep(0.001)
    executions = [
        one
        for one in gc.get_objects()
        if type(one).__name__ == "Execution" and refers(one, asyncio.get_running_loop())
    ]
    coroutines = [
        one
        for execution in executions
        for one in referents(execution)
        if isinstance(one, CoroutineType)
    ]
    names = [getattr(one, "__qualname__", "") for one in coroutines]
    assert sum("on_message_impl" in name for name in names) == 2
    gate.set()
    await asking
    await runtime.stop_when_idle()


def test_every_class_of_the_extension_is_known_to_the_collector() -> None:
    has_gc = 1 << 14
    classes = [one for one in vars(_core).values() if isinstance(one, type)]
    assert [one.__name__ for one in classes if not one.__flags__ & has_gc] == []
