"""Libraries that depend on tasks, greenlets and sockets, used inside handlers."""

import asyncio

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from .scenario import Ask, yield_to_loop


@pytest.fixture
async def engine():
    engine = create_async_engine("sqlite+aiosqlite://", poolclass=StaticPool)
    yield engine
    await engine.dispose()


@pytest.fixture
async def server():
    """A server on the loopback interface that responds with the requested path."""

    async def respond(reader, writer):
        while head := (await reader.readline()).split():
            while (await reader.readline()).strip():
                pass
            body = head[1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    listening = await asyncio.start_server(respond, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    listening.close()
    await yield_to_loop()
    await listening.wait_closed()


async def test_sqlalchemy_talks_to_its_database_through_greenlets(scenario, engine):
    async def handler(self, message, ctx):
        task = asyncio.current_task()
        async with engine.begin() as connection:
            await connection.execute(text("create table if not exists notes (word text)"))
            await connection.execute(text("insert into notes values (:w)"), {"w": message.value})
            rows = await connection.execute(text("select word from notes"))
            assert asyncio.current_task() is task
            return [word for (word,) in rows]

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a", "one") == ["one"]
    assert await scenario.ask("a", "two") == ["one", "two"]


async def test_a_send_from_inside_a_greenlet(scenario, engine):
    """`run_sync` runs plain code in a greenlet; `await_only` leaves it to wait for a send."""
    from sqlalchemy.util import await_only

    async def leaf(self, message, ctx):
        if message.value:
            await asyncio.sleep(0)
        return message.value, asyncio.current_task()

    async def handler(self, message, ctx):
        def plain(_connection):
            mine = asyncio.current_task()
            responses = []
            for suspend in (False, True):
                respond, task = await_only(self.send_message(Ask(suspend), scenario.id("leaf")))
                assert asyncio.current_task() is mine
                assert task is not mine
                responses.append(respond)
            return responses

        async with engine.connect() as connection:
            return await connection.run_sync(plain)

    await scenario.agent("leaf", leaf)
    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a") == [False, True]


async def test_httpx_requests_a_server(scenario, server):
    async def handler(self, message, ctx):
        async with httpx.AsyncClient(trust_env=False) as client:
            task = asyncio.current_task()
            response = await client.get(f"{server}/{message.value}", timeout=150)
            assert asyncio.current_task() is task
            return response.text

    await scenario.agent("a", handler)
    scenario.start()
    assert await scenario.ask("a", "one") == "/one"
    responses = await asyncio.gather(*(scenario.ask("a", number) for number in range(10)))
    assert responses == [f"/{number}" for number in range(10)]


async def test_a_client_shared_by_handlers_and_a_request_that_is_cancelled(scenario, server):
    async with httpx.AsyncClient(trust_env=False) as client:

        async def handler(self, message, ctx):
            if message.value == "nested":
                return await self.send_message(Ask("inner"), scenario.id("a", "inner"))
            if message.value == "cancelled":
                asyncio.get_running_loop().call_soon(asyncio.current_task().cancel)
            return (await client.get(f"{server}/{message.value}", timeout=150)).text

        await scenario.agent("a", handler, keys=["default", "inner"])
        scenario.start()
        assert await scenario.ask("a", "first") == "/first"
        with pytest.raises(asyncio.CancelledError):
            await scenario.ask("a", "cancelled")
        assert await scenario.ask("a", "nested") == "/inner"
