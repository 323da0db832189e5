"""Sessions: cancelling, time-outs, restarts, starting and stopping."""

import asyncio

import pytest

from ferrogen import CancellationToken
from ferrogen.tools.mcp import McpConnectionError, McpTimeoutError, McpWorkbench

from .conftest import is_alive, until


async def text_of(workbench, name, arguments=None):
    return (await workbench.call_tool(name, arguments)).to_text()


@pytest.mark.parametrize("by", ["token", "caller", "timeout"])
async def test_a_call_that_ends_early_is_cancelled_at_the_server(plain, by, tmp_path):
    report, token = tmp_path / "ended", CancellationToken()
    async with McpWorkbench(plain()) as workbench:
        await workbench.list_tools()
        if by == "timeout":
            workbench._session.timeout = 1.0
        call = asyncio.ensure_future(workbench.call_tool("hang", {"report": str(report)}, token))
        await until((tmp_path / "ended.started").exists)
        if by == "caller":
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
        else:
            if by == "token":
                token.cancel()
            result = await call
            assert result.is_error
            words = "token was cancelled" if by == "token" else "respond within 1 seconds"
            assert words in result.to_text()
        await until(report.exists)
        workbench._session.timeout = 30.0
        assert (await text_of(workbench, "process")).isdigit()


async def test_a_lost_server_is_started_again(plain):
    async with McpWorkbench(plain(), restart_delay=0.01) as workbench:
        first = await text_of(workbench, "process")
        result = await workbench.call_tool("crash")
        assert result.is_error
        second = await text_of(workbench, "process")
        assert second != first
        assert not is_alive(first)
    assert not is_alive(second)


async def test_a_server_that_cannot_run_is_not_started_for_ever(plain, tmp_path):
    count = tmp_path / "count"
    workbench = McpWorkbench(plain("fail", str(count)), restart_delay=0.01)
    with pytest.raises(McpConnectionError, match="cannot be reached"):
        await workbench.start()
    assert (await workbench.call_tool("process")).is_error
    assert len(count.read_text().splitlines()) == 2  # one attempt each
    await workbench.stop()


async def test_a_server_that_does_not_respond_is_a_timeout(plain):
    workbench = McpWorkbench(plain("wait"), connect_timeout=1.0)
    with pytest.raises(McpTimeoutError, match="not initialized within 1 seconds"):
        await workbench.start()
    await workbench.stop()


async def test_starting_and_stopping_are_idempotent(plain):
    workbench = McpWorkbench(plain())
    await workbench.stop()
    await asyncio.gather(workbench.start(), workbench.start(), workbench.list_tools())
    first = await text_of(workbench, "process")
    await asyncio.gather(workbench.stop(), workbench.stop())
    await workbench.stop()
    assert not is_alive(first)
    assert await text_of(workbench, "process") != first  # the first call starts it again
    await workbench.stop()


async def test_stopping_ends_a_call(plain, tmp_path):
    workbench = McpWorkbench(plain())
    await workbench.start()
    call = asyncio.ensure_future(workbench.call_tool("hang", {"report": str(tmp_path / "ended")}))
    await until((tmp_path / "ended.started").exists)
    await workbench.stop()
    assert (await call).is_error


def test_a_workbench_can_be_used_in_one_event_loop_after_the_other(plain):
    workbench = McpWorkbench(plain())
    first = asyncio.run(text_of(workbench, "process"))  # it is not stopped
    second = asyncio.run(text_of(workbench, "process"))
    assert first != second
    asyncio.run(until(lambda: not is_alive(first) and not is_alive(second)))
