"""The classes of the engine stay valid, whatever a program does with them."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import sys
import threading
from collections.abc import Callable
from contextvars import copy_context
from textwrap import dedent
from typing import Any

import pytest

from ferrogen import AgentId, BaseAgent, MessageContext, SingleThreadedAgentRuntime, TopicId
from ferrogen._core import Engine, Handlers, PublishEnvelope, Routes, Send
from ferrogen.exceptions import WrongLoopError

from .engines import CRITIC, WRITER, Agent, Host, make_engine, open_engine


class Calling(BaseAgent):
    """An agent that calls its messages with the current task."""

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        return message(asyncio.current_task())


async def started(*agents: BaseAgent) -> SingleThreadedAgentRuntime:
    runtime = SingleThreadedAgentRuntime()
    for agent, agent_id in zip(agents, (WRITER, CRITIC), strict=False):
        await runtime.register_agent_instance(agent, agent_id)
    runtime.start()
    return runtime


async def in_a_handler(function: Callable[[Any], Any]) -> Any:
    runtime = await started(Calling("calls"))
    try:
        return await runtime.send_message(function, WRITER)
    finally:
        await runtime.stop_when_idle()


# Classes.


@pytest.mark.parametrize("base", [Engine, Handlers, PublishEnvelope, Routes, Send])
def test_the_internal_classes_are_final(base: type) -> None:
    with pytest.raises(TypeError):
        type("Sub", (base,), {})


async def test_internal_objects_cannot_be_created_in_python() -> None:
    gate = asyncio.Event()

    class Waiting(BaseAgent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            await gate.wait()

    runtime = await started(Waiting("waits"))
    asked = asyncio.ensure_future(runtime.send_message("x", WRITER))
    await asyncio.sleep(0)
    handlers = Handlers([(int, [(print, None, print, [int], print)])])
    objects = [*gc.get_objects(), *gc.get_referents(handlers)]
    internal = {
        type(one).__name__: type(one) for one in objects if type(one).__module__ == "ferrogen._core"
    }
    for name in ("Execution", "Waiter", "Handler"):
        with pytest.raises(TypeError, match="cannot create"):
            internal[name]()
    gate.set()
    await asked
    await runtime.stop_when_idle()


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_an_engine_a_send_and_a_task_are_not_copied(duplicate: Any) -> None:
    engine = make_engine()
    send = engine.send_message("x", WRITER)
    for one in (engine, send):
        with pytest.raises(TypeError, match="cannot pickle"):
            duplicate(one)
    send.close()
    with pytest.raises(TypeError, match="cannot pickle"):
        await in_a_handler(duplicate)


async def test_the_current_task_is_an_asyncio_task_and_no_subclass() -> None:
    assert await in_a_handler(type) is asyncio.Task


# Sends.


async def test_a_send_is_awaited_once() -> None:
    runtime = await started(Agent())
    send = runtime.send_message("x", WRITER)
    assert isinstance(send, Send)
    assert await send == "x"
    with pytest.raises(RuntimeError, match="already awaited"):
        await send
    await runtime.stop_when_idle()


async def test_a_send_can_be_closed_and_thrown_into_at_every_stage() -> None:
    gate = asyncio.Event()

    class Waiting(BaseAgent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            if message == "yields":
                await asyncio.sleep(0)
            await gate.wait()

    def close(send: Any) -> None:
        send.close()

    def throw(send: Any) -> None:
        with pytest.raises(KeyError, match="thrown"):
            send.throw(KeyError("thrown"))

    runtime = await started(Waiting("waits"))
    for message in ("waits", "yields"):
        for steps in range(4):
            for stop in (close, throw):
                send: Any = runtime.send_message(message, WRITER)
                for _ in range(min(steps, 1)):
                    send.send(None)
                if steps == 2:
                    send.close()
                if steps == 3:
                    await asyncio.sleep(0.001)
                stop(send)
                with pytest.raises(RuntimeError):
                    send.send(None)
    gate.set()
    await asyncio.wait_for(runtime.stop_when_idle(), 5)


@pytest.mark.parametrize(
    "thrown",
    [
        (KeyError,),
        (KeyError("x"),),
        (KeyError, "x"),
        (KeyError, KeyError("x")),
        (KeyError, None, None),
    ],
)
async def test_exceptions_are_thrown_in_every_form(thrown: Any) -> None:
    send = make_engine().send_message("x", WRITER)
    with pytest.raises(KeyError):
        send.throw(*thrown)


@pytest.mark.parametrize("thrown", [(), (1,), ("text",), (KeyError, "x", "no traceback"), (int,)])
async def test_an_object_that_is_no_exception_cannot_be_thrown(thrown: Any) -> None:
    send = make_engine().send_message("x", WRITER)
    with pytest.raises(TypeError):
        send.throw(*thrown)
    send.close()


@pytest.mark.parametrize(
    "method", ["done", "cancelled", "result", "exception", "cancel", "get_loop"]
)
async def test_a_send_that_was_not_started_is_not_a_future_yet(method: str) -> None:
    send = make_engine().send_message("x", WRITER)
    with pytest.raises(RuntimeError, match="a send is a future only while"):
        getattr(send, method)()
    send.close()


async def test_a_send_is_stepped_by_one_thread_while_others_look_at_it() -> None:
    gate = asyncio.Event()

    class Waiting(BaseAgent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            await gate.wait()

    runtime = await started(Waiting("waits"))
    send = runtime.send_message("x", WRITER)
    waiting = asyncio.ensure_future(send)
    await asyncio.sleep(0)
    errors: list[BaseException] = []

    def look() -> None:
        for _ in range(1000):
            try:
                send.done()
                send.cancelled()
                repr(send)
                send.get_loop()
            except BaseException as error:  # noqa: BLE001, PERF203 - the test checks it
                errors.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    await asyncio.to_thread(lambda: [thread.join() for thread in threads])
    assert errors == []
    gate.set()
    await waiting
    await runtime.stop_when_idle()


# Hosts.


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
    asked = [asyncio.ensure_future(settled(one)) for one in calls]
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


async def settled(awaitable: Any) -> Any:
    try:
        return await awaitable
    except Exception as error:  # noqa: BLE001 - the test checks it
        return error


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


# Life cycle, in every order.


async def test_an_engine_is_opened_and_shut_in_any_order() -> None:
    engine = make_engine()
    loop, context = asyncio.get_running_loop(), copy_context()
    assert not engine.is_started
    engine.shut()
    engine.drain("nothing")
    assert engine.take_one() is False
    engine.pump()
    engine.begin_gathered()
    engine.resume_parked()
    engine.wake_up()
    engine.bind(loop, context)
    engine.bind(loop, context)
    engine.open(loop, context, is_traced=False)
    engine.open(loop, context, is_traced=False)
    assert engine.is_started
    engine.bind(loop, context)
    engine.shut()
    engine.shut()
    assert (engine.idle, engine.waiting, engine.is_running, engine.is_paused) == (
        True,
        0,
        False,
        False,
    )


def test_an_engine_is_used_without_a_loop() -> None:
    engine = make_engine()
    for call in (engine.pump, engine.begin_gathered, engine.resume_parked, engine.wake_up):
        call()
    send: Any = engine.send_message("x", WRITER)
    with pytest.raises(RuntimeError, match="no running event loop"):
        send.send(None)
    assert engine.tally()["accepted"] == 0


@pytest.mark.parametrize("loop", [None, 1, object()])
def test_an_engine_is_not_opened_on_an_object_that_is_no_loop(loop: Any) -> None:
    engine = make_engine()
    with pytest.raises((TypeError, AttributeError)):
        engine.open(loop, copy_context(), is_traced=False)


async def test_callbacks_of_the_loop_that_are_called_in_a_handler_do_no_harm() -> None:
    seen: list[Any] = []

    class Meddling(BaseAgent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            engine = runtime._engine
            seen.append(engine.is_running)
            for call in (engine.pump, engine.begin_gathered, engine.resume_parked, engine.wake_up):
                call()
            if message == "sleeps":
                await asyncio.sleep(0)
                for call in (engine.pump, engine.resume_parked, engine.wake_up):
                    call()
            return message

    runtime = await started(Meddling("meddles"), Agent())
    for message in ("ends", "sleeps"):
        asked = [asyncio.ensure_future(runtime.send_message(message, WRITER)) for _ in range(3)]
        assert await asyncio.gather(*asked) == [message] * 3
    assert seen[0] is True
    await runtime.stop_when_idle()


async def test_shutting_the_engine_in_a_handler_leaves_the_response() -> None:
    class Shutting(BaseAgent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            runtime._engine.shut()
            if message == "suspends":
                await asyncio.sleep(0)
                await asyncio.sleep(0.001)
            return message

    runtime = await started(Shutting("shuts"))
    assert await runtime.send_message("ends", WRITER) == "ends"
    await runtime.stop()
    runtime.start()
    assert await runtime.send_message("suspends", WRITER) == "suspends"
    await runtime.stop()


async def test_the_list_of_kept_tasks_may_be_cleared_by_the_program() -> None:
    gate = asyncio.Event()

    class Waiting(BaseAgent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            await gate.wait()
            return message

    runtime = await started(Waiting("waits"))
    asked = asyncio.ensure_future(runtime.send_message("x", WRITER))
    await asyncio.sleep(0)
    runtime._kept.clear()
    gc.collect()
    gate.set()
    assert await asked == "x"
    await runtime.stop_when_idle()


# Threads.


def test_an_engine_refuses_the_loop_of_another_thread() -> None:
    async def main() -> None:
        runtime = await started(Agent())
        errors: list[BaseException] = []

        def elsewhere() -> None:
            async def use() -> None:
                for call in (
                    runtime.send_message("x", WRITER),
                    runtime.publish_message("x", TopicId("t", "1")),
                ):
                    try:
                        await call
                    except WrongLoopError as error:  # noqa: PERF203 - each call raises
                        errors.append(error)

            asyncio.run(use())

        await asyncio.to_thread(elsewhere)
        assert len(errors) == 2
        assert runtime._engine.tally()["accepted"] == 0
        await runtime.stop_when_idle()

    asyncio.run(main())


def test_a_coroutine_of_one_thread_may_be_dropped_in_another() -> None:
    async def main() -> None:
        gate = asyncio.Event()

        class Waiting(BaseAgent):
            async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
                await gate.wait()

        runtime = await started(Waiting("waits"))
        sends: list[Any] = [runtime.send_message("x", WRITER) for _ in range(3)]
        for send in sends:
            send.send(None)
        await asyncio.to_thread(sends.clear)
        gate.set()
        await asyncio.wait_for(runtime.stop_when_idle(), 5)

    asyncio.run(main())


def test_a_subinterpreter_is_refused() -> None:
    interpreters = pytest.importorskip(
        "_interpreters" if sys.version_info >= (3, 13) else "_xxsubinterpreters"
    )
    program = dedent(
        """
        try:
            import ferrogen._core
        except ImportError as error:
            assert "main interpreter" in str(error) or "subinterpreter" in str(error), error
        else:
            raise AssertionError("imported")
        """
    )
    inside = f"import sys; sys.path[:] = {sys.path!r}\n{program}"
    other = interpreters.create()
    try:
        failed = interpreters.run_string(other, inside)
        assert failed is None, failed
    finally:
        interpreters.destroy(other)


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
        lambda: engine.build_canceled(WRITER),
    ):
        with pytest.raises(RuntimeError, match=match):
            report()
    assert len(engine.instances()) == exists


async def test_the_error_of_a_build_goes_to_its_senders_and_the_next_build_is_another() -> None:
    engine = open_engine()
    error = OSError("no disk")
    asked = [asyncio.ensure_future(settled(engine.send_message(n, WRITER))) for n in range(3)]
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
@pytest.mark.parametrize("name", ["concurrency", "capacity"])
def test_limits_are_positive_whole_numbers(name: str, wrong: Any) -> None:
    options: dict[str, Any] = {
        "concurrency": None,
        "capacity": None,
        "drop_oldest": False,
        "passivate_after": None,
    }
    with pytest.raises((TypeError, ValueError, OverflowError)):
        make_engine().configure("writer", **{**options, name: wrong})


@pytest.mark.parametrize(("drop_oldest", "refused"), [(False, 2), (True, 1)])
async def test_a_full_mailbox_refuses_the_newest_or_the_oldest_message(
    drop_oldest: bool, refused: int
) -> None:
    gate = asyncio.Event()

    class Waiting(Agent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            await gate.wait()
            return message

    engine = open_engine()
    engine.configure(
        "writer", concurrency=1, capacity=1, drop_oldest=drop_oldest, passivate_after=None
    )
    engine.enter(WRITER, Waiting())
    asked = [asyncio.ensure_future(settled(engine.send_message(n, WRITER))) for n in range(3)]
    for _ in range(4):
        await asyncio.sleep(0)
    gate.set()
    outcomes = await asyncio.gather(*asked)
    assert [isinstance(one, RuntimeError) for one in outcomes] == [n == refused for n in range(3)]
    assert engine.tally()["dead_lettered"] == 1
    engine.shut()
