"""The context of a call: injected by annotation, invisible for models."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import AsyncGenerator
from typing import Annotated, Optional

import pytest
from pydantic import BaseModel

from ferrogen import (
    AgentId,
    CancellationToken,
    DefaultTopicId,
    FunctionCall,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TypeSubscription,
    message_handler,
)
from ferrogen.exceptions import ToolProcessError, ToolSchemaError, ToolTimeoutError
from ferrogen.models.usage import conversation
from ferrogen.tool_agent import ToolAgent
from ferrogen.tools import (
    BaseStreamTool,
    BaseTool,
    FunctionTool,
    StaticStreamWorkbench,
    ToolContext,
    tool_progress,
)

from ..growing_timeouts import TIMEOUTS


class Number(BaseModel):
    number: int


class Square(BaseTool[Number, int]):
    def __init__(self) -> None:
        super().__init__(Number, int, "square", "Squares.")

    async def run(
        self, args: Number, cancellation_token: CancellationToken, ctx: ToolContext
    ) -> int:
        assert (ctx.tool, ctx.call_id) == ("square", "c")
        ctx.progress(1, 1)
        return args.number**2


class Counter(BaseStreamTool[Number, Number, Number]):
    def __init__(self) -> None:
        super().__init__(Number, Number, "count", "Counts.")

    async def run(self, args: Number, cancellation_token: CancellationToken) -> Number:
        return args

    async def run_stream(
        self, args: Number, cancellation_token: CancellationToken, ctx: ToolContext
    ) -> AsyncGenerator[Number, None]:
        assert (ctx.tool, ctx.call_id) == ("count", "c")
        yield args


def plain(n: int, context: ToolContext) -> str:
    return f"{n} {context.call_id}"


def optional(n: int, context: ToolContext | None = None) -> str:
    assert context is not None
    return f"{n} {context.call_id}"


def old_optional(n: int, context: Optional[ToolContext] = None) -> str:  # noqa: UP045
    return plain(n, context)


def marked(context: Annotated[ToolContext, "of the call"], /, n: int) -> str:
    return plain(n, context)


async def waiting(n: int, *, context: ToolContext, **others: int) -> str:
    return plain(n, context)


@pytest.mark.parametrize("function", [plain, optional, old_optional, marked, waiting])
async def test_a_parameter_gets_the_context_by_its_annotation(function):
    made = FunctionTool(function, "d")
    assert list(made.schema["parameters"]["properties"]) == ["n"]
    given = {"n": 1, "context": 2} if function is waiting else {"n": 1}
    assert await made.run_json(given, call_id="c") == "1 c"


async def test_classes_of_tools_get_the_context_by_its_annotation():
    assert await Square().run_json({"number": 3}, call_id="c") == 9
    stream = Counter().run_json_stream({"number": 3}, call_id="c")
    assert [part.number async for part in stream] == [3]


async def test_the_annotation_is_found_beside_one_that_cannot_be_resolved():
    class Partly(Square):
        async def run(
            self,
            args: NowhereDefined,  # noqa: F821
            cancellation_token: CancellationToken,
            ctx: ToolContext,
        ) -> int:
            assert ctx.call_id == "c"
            return args.number

    assert await Partly().run_json({"number": 3}, call_id="c") == 3


async def test_a_workbench_passes_the_id_of_the_call():
    result = await StaticStreamWorkbench([Square()]).call_tool("square", {"number": 3}, None, "c")
    assert result.to_text() == "9"


def test_a_context_is_not_one_of_many_keywords():
    def wrong(**context: ToolContext) -> None: ...

    with pytest.raises(ToolSchemaError, match=r"\*\*context"):
        FunctionTool(wrong, "d")


def seen_by(seen):
    def look(context: ToolContext) -> str:
        seen.append(context)
        return ""

    return FunctionTool(look, "d")


async def test_outside_of_agents_there_is_no_caller():
    seen = []
    await seen_by(seen).run_json({})
    with conversation("support-17"):
        await seen_by(seen).run_json({})
    assert [(each.caller, each.conversation) for each in seen] == [
        (None, None),
        (None, "support-17"),
    ]


async def test_the_caller_is_the_agent_whose_handler_runs():
    seen = []

    class Assistant(RoutedAgent):
        @message_handler
        async def work(self, message: FunctionCall, ctx: MessageContext) -> None:
            await seen_by(seen).run_json({}, ctx.cancellation_token)

    runtime = SingleThreadedAgentRuntime()
    await Assistant.register(runtime, "assistant", lambda: Assistant("d"))
    runtime.start()
    await runtime.send_message(FunctionCall("c", "{}", "look"), AgentId("assistant", "user-1"))
    await runtime.close()
    (context,) = seen
    assert (context.caller, context.conversation) == (AgentId("assistant", "user-1"), "user-1")


async def test_a_tool_agent_says_who_called_it_and_on_which_topic():
    seen = []
    runtime = SingleThreadedAgentRuntime()
    await ToolAgent.register(runtime, "tools", lambda: ToolAgent("d", [seen_by(seen)]))
    await runtime.add_subscription(TypeSubscription("calls", "tools"))
    runtime.start()
    call, caller = FunctionCall("c", "{}", "look"), AgentId("assistant", "user-1")
    await runtime.send_message(call, AgentId("tools", "default"), sender=caller)
    topic = DefaultTopicId("calls", "user-2")
    await runtime.publish_message(call, topic, sender=caller)
    await runtime.stop_when_idle()
    await runtime.close()
    sent, published = seen
    assert (sent.caller, sent.conversation, sent.topic) == (caller, "user-1", None)
    assert (published.caller, published.conversation) == (caller, "user-2")
    assert published.topic == topic
    assert sent.call_id == "c"


async def test_a_cancelled_call_can_be_detected_in_the_thread():
    started, seen = threading.Event(), threading.Event()

    def work(context: ToolContext) -> None:
        started.set()
        while not context.cancelled:
            time.sleep(0.001)
        seen.set()

    token = CancellationToken()
    call = asyncio.ensure_future(FunctionTool(work, "d").run_json({}, token))
    await asyncio.to_thread(started.wait)
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(seen.wait, 30)


async def remaining_times(timeout: float) -> list[float]:
    """Return what a call sees before and after its timeout, or nothing if its thread was late."""
    seen, ended = [], threading.Event()

    def work(context: ToolContext) -> None:
        seen.append(context.remaining)
        while not context.cancelled:
            time.sleep(0.001)
        seen.append(context.remaining)
        ended.set()

    with pytest.raises(ToolTimeoutError):
        await FunctionTool(work, "d", timeout=timeout).run_json({})
    if not seen or not seen[0]:
        return []
    assert await asyncio.to_thread(ended.wait, 150)
    return seen


async def test_a_call_that_timed_out_is_cancelled_and_knows_its_deadline():
    for timeout in TIMEOUTS:
        if seen := await remaining_times(timeout):
            break
    before, after = seen
    assert 0 < before <= timeout
    assert after == 0


async def test_progress_reaches_the_loop_from_a_thread():
    loop_thread, reports = threading.get_ident(), []

    def work(context: ToolContext) -> str:
        context.progress(1, 4, "first")
        context.progress(2)
        return "done"

    def listen(report):
        assert threading.get_ident() == loop_thread
        reports.append((report.tool, report.share, report.message, report.call_id))

    with tool_progress(listen):
        await FunctionTool(work, "d").run_json({}, call_id="c")
        await asyncio.sleep(0)
    assert reports == [("work", 0.25, "first", "c"), ("work", None, "", "c")]


async def test_records_of_the_logger_have_the_fields_of_the_call(caplog):
    def work(context: ToolContext) -> None:
        context.logger.info("working")

    with caplog.at_level(logging.INFO, "autogen_core"), conversation("talk"):
        await FunctionTool(work, "d").run_json({}, call_id="c")
    (record,) = [each for each in caplog.records if each.message == "working"]
    assert record.name == "autogen_core.tools.work"
    assert (record.tool, record.call_id, record.conversation) == ("work", "c", "talk")


def test_a_context_cannot_be_sent_to_a_process():
    with pytest.raises(ToolProcessError, match="ToolContext"):
        FunctionTool(plain, "d", isolation="process")
