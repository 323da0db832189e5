"""One client works in several event loops, one after another and at once."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from ferrogen.models import UserMessage
from ferrogen.models.anthropic import AnthropicChatCompletionClient
from ferrogen.models.openai import OpenAIChatCompletionClient

from .conversation import INFO
from .scripted_server import ScriptedServer, json_response

QUESTION = [UserMessage(content="hello", source="me")]
BODY = {
    "choices": [{"message": {"content": "ciao"}, "finish_reason": "stop"}],
    "type": "message",
    "content": [{"type": "text", "text": "ciao"}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
CLIENTS = [OpenAIChatCompletionClient, AnthropicChatCompletionClient]


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    """A server in an event loop and a thread of its own."""
    loop, server = asyncio.new_event_loop(), ScriptedServer()
    server.otherwise = json_response(BODY)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result()
    yield server
    asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def made(kind: Callable[..., Any], server: ScriptedServer) -> Any:
    return kind(model="m", api_key="k", base_url=server.url, model_info=INFO, max_retries=0)


async def asked(client: Any) -> str:
    return str((await client.create(QUESTION)).content)


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_client_works_in_one_event_loop_after_another(
    server: ScriptedServer, kind: Callable[..., Any]
) -> None:
    client = made(kind, server)
    for number in range(1, 4):
        assert asyncio.run(asked(client)) == "ciao"
        assert server.accepted == number
    asyncio.run(client.close())


@pytest.mark.parametrize("kind", CLIENTS)
def test_its_connections_are_closed_with_their_event_loop(
    server: ScriptedServer, kind: Callable[..., Any], recwarn: pytest.WarningsRecorder
) -> None:
    client = made(kind, server)
    loop = asyncio.new_event_loop()
    assert loop.run_until_complete(asked(client)) == "ciao"
    assert loop.run_until_complete(asked(client)) == "ciao"
    assert (server.accepted, server.connections) == (1, 1)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
    del client
    gc.collect()
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_client_works_in_several_event_loops_at_once(
    server: ScriptedServer, kind: Callable[..., Any]
) -> None:
    client = made(kind, server)
    together = threading.Barrier(4)

    async def in_turns() -> list[str]:
        results = [await asked(client)]
        together.wait()  # all have a connection now
        return results + [await asked(client) for _ in range(3)]

    with ThreadPoolExecutor(4) as threads:
        running = [threads.submit(asyncio.run, in_turns()) for _ in range(4)]
        assert [each.result() for each in running] == [["ciao"] * 4] * 4
    assert server.accepted == 4


@pytest.mark.parametrize("kind", CLIENTS)
def test_closing_a_client_closes_its_connections_in_all_event_loops(
    server: ScriptedServer, kind: Callable[..., Any]
) -> None:
    client = made(kind, server)
    used, closed = threading.Event(), threading.Event()

    async def use() -> None:
        await asked(client)
        used.set()
        await asyncio.to_thread(closed.wait)

    async def close() -> None:
        await asked(client)
        await client.close()

    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(asyncio.run, use())
        used.wait()
        asyncio.run(close())
        closed.set()
        running.result()
    assert server.accepted == 2


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_client_is_a_context_manager_and_can_be_used_again(
    server: ScriptedServer, kind: Callable[..., Any]
) -> None:
    async def main() -> None:
        async with made(kind, server) as client:
            assert await asked(client) == "ciao"
        assert await asked(client) == "ciao"
        await client.close()

    asyncio.run(main())
    assert server.accepted == 2
