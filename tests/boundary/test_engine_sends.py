"""Sends: awaited once; closed, thrown into and stepped at every stage."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from ferrogen import BaseAgent, MessageContext
from ferrogen._core import Send

from .engines import WRITER, Agent, make_engine, started


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
    await asyncio.wait_for(runtime.stop_when_idle(), 150)


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
