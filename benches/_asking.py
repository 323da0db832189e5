"""Asks a service in one way, and prints the CPU seconds (or bytes) that each thing asked took.

benches/models.py starts it in an interpreter of its own, so that neither the service nor the other
clients are counted: `_asking.py KIND WAY URL`.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

STREAMS = 1_000
CHUNKS = 400
REQUESTS = 150
FULL_STREAMS = 6

Stream = Callable[[], AsyncIterator[Any]]
Whole = Callable[[], Any]


def floor(url: str) -> tuple[Whole, Stream]:
    """Sends the bytes of the same request, and looks at none of those that come back."""
    import json

    import openai

    http = openai.DefaultAsyncHttpxClient(timeout=60)
    body = {"model": "tiny", "messages": [{"role": "user", "content": "Hello!", "name": "me"}]}

    async def whole() -> None:
        answer = await http.post(f"{url}/chat/completions", content=json.dumps(body))
        json.loads(answer.content)

    async def stream() -> AsyncIterator[bytes]:
        asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
        address = f"{url}/chat/completions"
        async with http.stream("POST", address, content=json.dumps(asked)) as answer:
            async for piece in answer.aiter_bytes():
                yield piece

    return whole, stream


def client(way: str, url: str) -> tuple[Whole, Stream]:
    """Asks by a client for the chat API, autogen-ext's or ours."""
    if way == "ours":
        from ferrogen.models import UserMessage
        from ferrogen.models.openai import OpenAIChatCompletionClient
    else:
        from autogen_core.models import UserMessage
        from autogen_ext.models.openai import OpenAIChatCompletionClient

    info = dict.fromkeys(("vision", "function_calling", "json_output", "structured_output"), True)
    asked = OpenAIChatCompletionClient(
        model="tiny", base_url=url, api_key="none", model_info={**info, "family": "unknown"}
    )
    messages = [UserMessage(content="Hello!", source="me")]

    async def whole() -> None:
        await asked.create(messages)

    async def stream() -> AsyncIterator[Any]:
        async for piece in asked.create_stream(messages, include_usage=True):
            yield piece

    return whole, stream


async def drained(stream: Stream) -> None:
    async for _ in stream():
        pass


def resident() -> int:
    """How many bytes of memory this process occupies (on Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


async def held(stream: Stream) -> int:
    """Holds streams after their first piece; returns the bytes that each takes."""
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


async def main(kind: str, way: str, url: str) -> float:
    whole, stream = floor(url) if way == "floor" else client(way, url)
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
