"""Calls a service by one client, and prints the CPU seconds (or bytes) that each call took.

benches/models.py starts it in a new interpreter, so that neither the service nor the other clients
are counted: `_model_client_process.py KIND CLIENT URL`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

STREAMS = 1_000
CHUNKS = 400
REQUESTS = 150
FULL_STREAMS = 6

Stream = Callable[[], AsyncIterator[Any]]
Whole = Callable[[], Any]


def floor(url: str) -> tuple[Whole, Stream]:
    """Sends the bytes of the same request, and does not parse the stream."""
    import json

    import openai

    http = openai.DefaultAsyncHttpxClient(timeout=60)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hello!", "name": "me"}]}

    async def whole() -> None:
        response = await http.post(f"{url}/chat/completions", content=json.dumps(body))
        json.loads(response.content)

    async def stream() -> AsyncIterator[bytes]:
        streamed = {**body, "stream": True, "stream_options": {"include_usage": True}}
        address = f"{url}/chat/completions"
        async with http.stream("POST", address, content=json.dumps(streamed)) as response:
            async for piece in response.aiter_bytes():
                yield piece

    return whole, stream


def client(implementation: str, url: str) -> tuple[Whole, Stream]:
    """Calls the client for the chat API, autogen-ext's or ours."""
    if implementation == "ours":
        from ferrogen.models import UserMessage
        from ferrogen.models.openai import OpenAIChatCompletionClient
    else:
        from autogen_core.models import UserMessage
        from autogen_ext.models.openai import OpenAIChatCompletionClient

    info = dict.fromkeys(("vision", "function_calling", "json_output", "structured_output"), True)
    client = OpenAIChatCompletionClient(
        model="tiny", base_url=url, api_key="none", model_info={**info, "family": "unknown"}
    )
    messages = [UserMessage(content="Hello!", source="me")]

    async def whole() -> None:
        await client.create(messages)

    async def stream() -> AsyncIterator[Any]:
        async for piece in client.create_stream(messages, include_usage=True):
            yield piece

    return whole, stream


async def drained(stream: Stream) -> None:
    async for _ in stream():
        pass


def resident() -> int:
    """The resident memory of this process in bytes (on Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def held(stream: Stream) -> int:
    """Holds streams after their first chunk; returns the bytes of memory of each."""
    await drained(stream)
    before = resident()
    streams = [stream() for _ in range(STREAMS)]
    await asyncio.gather(*map(anext, streams))
    taken = resident() - before

    async def finish(rest: AsyncIterator[Any]) -> None:
        async for _ in rest:
            pass

    await asyncio.gather(*map(finish, streams))
    return taken // STREAMS


async def main(kind: str, implementation: str, url: str) -> float:
    make = floor if implementation == "floor" else partial(client, implementation)
    whole, stream = make(url)
    if kind == "memory":
        return await held(stream)
    if kind == "whole":
        await whole()
        start = time.process_time()
        for _ in range(REQUESTS):
            await whole()
        return (time.process_time() - start) / REQUESTS
    await drained(stream)
    start = time.process_time()
    if kind == "held":
        await asyncio.gather(*(drained(stream) for _ in range(STREAMS)))
        return (time.process_time() - start) / STREAMS
    for _ in range(FULL_STREAMS):
        await drained(stream)
    return (time.process_time() - start) / (FULL_STREAMS * CHUNKS)


if __name__ == "__main__":
    print(asyncio.run(main(*sys.argv[1:])))
