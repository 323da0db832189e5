"""The engine and its classes stay valid in every order of calls, and in other threads."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
import sys
from collections.abc import Callable
from contextvars import copy_context
from textwrap import dedent
from typing import Any

import pytest

from ferrogen import BaseAgent, MessageContext, TopicId
from ferrogen._core import Engine, Handlers, PublishEnvelope, Routes, Send
from ferrogen.exceptions import WrongLoopError

from .engines import WRITER, Agent, make_engine, started


class Calling(BaseAgent):
    """An agent that calls its messages with the current task."""

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        return message(asyncio.current_task())


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


# Life cycle, in every order.


async def test_an_engine_is_opened_and_shut_in_any_order() -> None:
    engine = make_engine()
    loop, context = asyncio.get_running_loop(), copy_context()
    assert not engine.is_started
    engine.shut()
    engine.drain("nothing")
    assert engine.take_one() is False
    engine.process_batch()
    engine.begin_gathered()
    engine.resume_responded()
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
    calls = (
        engine.process_batch,
        engine.begin_gathered,
        engine.resume_responded,
        engine.wake_up,
    )
    for call in calls:
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
            for call in (
                engine.process_batch,
                engine.begin_gathered,
                engine.resume_responded,
                engine.wake_up,
            ):
                call()
            if message == "sleeps":
                await asyncio.sleep(0)
                for call in (engine.process_batch, engine.resume_responded, engine.wake_up):
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
        await asyncio.wait_for(runtime.stop_when_idle(), 150)

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
