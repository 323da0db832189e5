"""Calls that a token cancels, or their caller, or the tool itself."""

import asyncio
import sys
from contextvars import ContextVar

import pytest
from pydantic import BaseModel

from ferrogen import CancellationToken
from ferrogen.exceptions import ToolCancelledError
from ferrogen.tools import (
    BaseTool,
    FunctionTool,
    StaticStreamWorkbench,
    StaticWorkbench,
    Workbench,
)
from ferrogen.tools.cancellation import parts_of, result_of

WORD: ContextVar[str] = ContextVar("word", default="none")


class Work:
    """Work that starts, waits, and records how it ends."""

    def __init__(self, *, cleans_up: bool = False) -> None:
        self.started, self.cleaning, self.clean = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.cleans_up, self.cancelled = cleans_up, 0

    async def run(self) -> str:
        self.started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            while self.cleans_up and not self.clean.is_set():
                self.cleaning.set()
                try:
                    await self.clean.wait()
                except asyncio.CancelledError:
                    self.cancelled += 1
            raise
        return "never"

    def start(self, token: CancellationToken) -> "asyncio.Task[str]":
        return asyncio.ensure_future(result_of(asyncio.ensure_future(self.run()), token))


async def test_a_token_that_cancels_a_call_is_an_exception():
    work, token = Work(), CancellationToken()
    call = work.start(token)
    await work.started.wait()
    token.cancel()
    with pytest.raises(ToolCancelledError, match="its token was cancelled"):
        await call


async def test_a_cancelled_caller_is_cancelled_after_the_call_has_ended():
    work = Work(cleans_up=True)
    call = work.start(CancellationToken())
    await work.started.wait()
    call.cancel()
    await work.cleaning.wait()
    assert not call.done()
    call.cancel()  # again: the call gets it, too
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    work.clean.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert work.cancelled == 2


async def test_a_caller_that_is_cancelled_with_the_token_is_cancelled():
    work, token = Work(), CancellationToken()
    call = work.start(token)
    await work.started.wait()
    token.cancel()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


async def test_an_error_of_a_cancelled_call_is_not_lost_in_the_log(caplog):
    started = asyncio.Event()

    async def fails() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError

    call = asyncio.ensure_future(result_of(asyncio.ensure_future(fails()), CancellationToken()))
    await started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert caplog.text == ""


async def test_a_stream_runs_in_one_task_and_goes_on_when_it_is_asked():
    seen = []

    async def stream():
        for number in range(3):
            seen.append((number, asyncio.current_task(), WORD.get()))
            WORD.set(f"after {number}")
            yield number

    async for part in parts_of(stream(), CancellationToken()):
        assert [number for number, *_ in seen] == list(range(part + 1))
    assert len({task for _, task, _ in seen}) == 1
    assert [word for *_, word in seen] == ["none", "after 0", "after 1"]
    assert WORD.get() == "none"


async def test_a_token_ends_a_stream_between_two_parts():
    ended, token = asyncio.Event(), CancellationToken()

    async def stream():
        try:
            yield 1
            yield 2
        finally:
            ended.set()

    parts = parts_of(stream(), token)
    assert await anext(parts) == 1
    token.cancel()
    await ended.wait()
    with pytest.raises(ToolCancelledError):
        await anext(parts)


async def test_a_cancelled_consumer_ends_the_stream():
    started, ended = asyncio.Event(), asyncio.Event()

    async def stream():
        try:
            started.set()
            await asyncio.Event().wait()
            yield 1
        finally:
            ended.set()

    async def consume():
        async for _ in parts_of(stream(), CancellationToken()):
            pass

    consumer = asyncio.ensure_future(consume())
    await started.wait()
    consumer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await consumer
    assert ended.is_set()


@pytest.mark.parametrize("kind", [StaticWorkbench, StaticStreamWorkbench])
async def test_a_cancelled_caller_of_a_workbench_gets_no_result(kind):
    work = Work()
    call = asyncio.ensure_future(kind([FunctionTool(work.run, "d")]).call_tool("run"))
    await work.started.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert work.cancelled == 1


@pytest.mark.parametrize("synchronous", [False, True])
async def test_a_function_that_cancels_itself_is_an_exception(synchronous):
    async def waits() -> None:
        raise asyncio.CancelledError

    def blocks() -> None:
        raise asyncio.CancelledError

    tool = FunctionTool(blocks if synchronous else waits, "d")
    with pytest.raises(ToolCancelledError, match="by the tool itself"):
        await tool.run_json({})


async def test_a_function_with_the_token_decides_what_cancelling_means():
    started = asyncio.Event()

    async def halves(cancellation_token: CancellationToken) -> str:
        stop = asyncio.Event()
        cancellation_token.add_callback(stop.set)
        started.set()
        await stop.wait()
        return "half done"

    token = CancellationToken()
    call = asyncio.ensure_future(FunctionTool(halves, "d").run_json({}, token))
    await started.wait()
    token.cancel()
    assert await call == "half done"


class Foreign(Workbench):
    """A workbench of another package: its calls raise when their token is cancelled."""

    def __init__(self) -> None:
        self.started = asyncio.Event()

    async def call_tool(self, name, arguments=None, cancellation_token=None, call_id=None):
        future = asyncio.get_running_loop().create_future()
        cancellation_token.link_future(future)
        self.started.set()
        return await future

    async def list_tools(self): ...
    async def start(self): ...
    async def stop(self): ...
    async def reset(self): ...
    async def save_state(self): ...
    async def load_state(self, state): ...


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tasks do not know what cancelled them")
async def test_every_workbench_returns_a_result_when_its_token_is_cancelled():
    workbench, token = Foreign(), CancellationToken()
    call = asyncio.ensure_future(workbench.call_tool("any", {}, cancellation_token=token))
    await workbench.started.wait()
    token.cancel()
    result = await call
    assert (result.name, result.is_error) == ("any", True)


@pytest.mark.parametrize("with_token", [False, True])
async def test_every_workbench_is_cancelled_with_its_caller(with_token):
    workbench, token = Foreign(), CancellationToken()
    call = asyncio.ensure_future(workbench.call_tool("any", {}, token, "id"))
    await workbench.started.wait()
    if with_token:
        token.cancel()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


class Nothing(BaseModel):
    pass


class CancelsItself(BaseTool[Nothing, None]):
    def __init__(self) -> None:
        super().__init__(Nothing, None, "cancels", "d")

    async def run(self, args: Nothing, cancellation_token: CancellationToken) -> None:
        await asyncio.sleep(0)
        raise asyncio.CancelledError


@pytest.mark.skipif(sys.version_info < (3, 11), reason="tasks do not know what cancelled them")
async def test_every_tool_that_cancels_itself_is_an_exception():
    with pytest.raises(ToolCancelledError, match="by the tool itself"):
        await CancelsItself().run_json({})


async def test_a_tool_that_is_cancelled_with_its_caller_is_cancelled():
    call = asyncio.ensure_future(CancelsItself().run_json({}))
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
