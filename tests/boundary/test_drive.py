"""The classes of the drive stay whole, whatever a program does with them."""

from __future__ import annotations

import asyncio
import copy
import pickle
import sys
from textwrap import dedent
from typing import Any

import pytest

from ferrogen import AgentId, BaseAgent, MessageContext, SingleThreadedAgentRuntime
from ferrogen._core import DeliveryTask, Send

WRITER = AgentId("writer", "1")


class Giving(BaseAgent):
    """An agent that hands out the task it runs in."""

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        return message(asyncio.current_task())


async def in_a_handler(do: Any) -> Any:
    runtime = SingleThreadedAgentRuntime()
    await Giving("gives").register_instance(runtime, WRITER)
    runtime.start()
    try:
        return await runtime.send_message(do, WRITER)
    finally:
        await runtime.stop_when_idle()


def test_a_delivery_task_has_no_subclasses_and_keeps_its_attributes() -> None:
    with pytest.raises(TypeError):
        type("More", (DeliveryTask,), {})
    with pytest.raises(TypeError):
        DeliveryTask.__getattribute__ = None  # type: ignore[method-assign, assignment]


async def test_a_program_can_make_a_delivery_task_like_any_other() -> None:
    task = DeliveryTask(asyncio.sleep(0, "slept"))
    assert await task == "slept"


async def test_what_holds_the_handler_cannot_be_reached_from_the_task() -> None:
    for reach in (lambda task: task._handling, lambda task: delattr(task, "_handling")):
        with pytest.raises(AttributeError):
            await in_a_handler(reach)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_a_delivery_task_is_not_copied(duplicate: Any) -> None:
    with pytest.raises(TypeError, match="cannot pickle"):
        await in_a_handler(duplicate)


@pytest.mark.parametrize("show", [repr, str])
async def test_a_delivery_task_that_nobody_touched_can_be_shown(show: Any) -> None:
    assert "pending" in await in_a_handler(show)


async def test_functions_of_the_base_class_do_no_harm_to_a_task_that_nobody_touched() -> None:
    for call in (asyncio.Task.cancel, asyncio.Task.done, asyncio.Task.cancelled):
        await in_a_handler(call)
    with pytest.raises(RuntimeError, match="not initialized"):
        await in_a_handler(asyncio.Task.__await__)


async def test_a_send_is_awaited_once() -> None:
    runtime = SingleThreadedAgentRuntime()
    await Giving("gives").register_instance(runtime, WRITER)
    runtime.start()
    send = runtime.send_message(lambda task: "answer", WRITER)
    assert isinstance(send, Send)
    assert await send == "answer"
    with pytest.raises(RuntimeError, match="already awaited"):
        await send
    await runtime.stop_when_idle()


async def test_a_send_can_be_closed_and_thrown_into_at_every_stage() -> None:
    runtime = SingleThreadedAgentRuntime()
    gate = asyncio.Event()

    class Waiting(BaseAgent):
        async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
            await gate.wait()

    await Waiting("waits").register_instance(runtime, WRITER)
    runtime.start()
    for steps in range(3):
        for stop in (Send.close, lambda send: send.throw(KeyError("thrown"))):
            send = runtime.send_message("", WRITER)
            if steps:
                send.send(None)
            if steps == 2:
                send.close()
            if stop is Send.close:
                stop(send)
            else:
                with pytest.raises(KeyError, match="thrown"):
                    stop(send)
            with pytest.raises(RuntimeError):
                send.send(None)
    gate.set()
    await runtime.stop_when_idle()


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


async def test_a_method_called_on_the_class_finds_the_coroutine_of_a_sleeping_task() -> None:
    coroutine = await in_a_handler(asyncio.Task.get_coro)
    assert asyncio.iscoroutine(coroutine)
