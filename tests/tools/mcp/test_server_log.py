"""What tools of a server log, as its clients get it."""

import asyncio
import logging
from contextlib import asynccontextmanager

import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from ferrogen.tools import ToolContext, tool
from ferrogen.tools.mcp import McpServer, McpWorkbench, StreamableHttpServerParams

from .test_server import served


@tool
async def talk(context: ToolContext) -> str:
    """Log at all levels."""
    context.logger.debug("1: %s", "debug")
    context.logger.info("2: %(name)s", {"name": "info"})
    context.logger.warning("3: does not fit %d", "x")
    try:
        raise LookupError("nothing there")
    except LookupError:
        context.logger.exception("4: failed")
    return "done"


def in_a_thread(context: ToolContext) -> str:
    """Log in a thread."""
    context.logger.error("from a thread")
    return "done"


@asynccontextmanager
async def client(url, records):
    async def log(params):
        records.append((params.level, params.logger, params.data))

    async with (
        streamable_http_client(url) as streams,
        ClientSession(*streams[:2], logging_callback=log) as session,
    ):
        initialized = (await session.initialize()).model_dump(by_alias=True)
        assert initialized["capabilities"]["logging"] is not None
        yield session


@pytest.fixture
def no_errors_of_logging(monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)


@pytest.mark.filterwarnings("ignore:The logging capability")
async def test_clients_get_records_from_their_level_on(no_errors_of_logging):
    records, others = [], []
    async with (
        served(McpServer([talk])) as url,
        client(url, records) as session,
        client(url, others) as other,
    ):
        await session.call_tool("talk", {})
        assert records == [
            ("info", "talk", "2: info"),
            ("warning", "talk", "3: does not fit %d"),
            ("error", "talk", "4: failed\nLookupError: nothing there"),
        ]
        records.clear()
        await session.set_logging_level("error")
        await other.set_logging_level("debug")
        await session.call_tool("talk", {})
        assert [level for level, _, _ in records] == ["error"]
        await other.call_tool("talk", {})
        assert others[0] == ("debug", "talk", "1: debug")
        assert len(others) == 4
        assert len(records) == 1


async def test_records_of_threads_come_before_the_result():
    records = []
    async with (
        served(McpServer([in_a_thread])) as url,
        McpWorkbench(StreamableHttpServerParams(url=url), on_log=records.append) as workbench,
    ):
        result = await workbench.call_tool("in_a_thread", {})
    assert result.to_text() == "done"
    assert [(record.level, record.data) for record in records] == [("error", "from a thread")]


async def test_records_still_go_to_the_logger(caplog):
    async with (
        served(McpServer([in_a_thread])) as url,
        McpWorkbench(StreamableHttpServerParams(url=url), on_log=lambda _: None) as workbench,
    ):
        await workbench.call_tool("in_a_thread", {})
    [record] = [record for record in caplog.records if record.name.endswith(".in_a_thread")]
    assert (record.message, record.tool) == ("from a thread", "in_a_thread")


async def test_a_call_that_nobody_serves_logs_as_before(caplog):
    context = ToolContext("in_a_thread")
    assert await asyncio.to_thread(in_a_thread, context) == "done"
    assert not context.logger.isEnabledFor(logging.DEBUG)
    assert [record.message for record in caplog.records] == ["from a thread"]
