"""A model's server on the loopback that plays exactly the bytes it was given, and nothing else."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeAlias

from typing_extensions import Self


class Reset:
    """The step at which the connection is cut off, so that the client sees it reset."""


class HangUp:
    """The step at which the connection is closed in an orderly way."""


RESET = Reset()
HANG_UP = HangUp()

Step: TypeAlias = bytes | asyncio.Event | Reset | HangUp
"""Bytes to send, an event to wait for, or how the connection ends."""


@dataclass
class Request:
    """What a client asked."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer: TypeAlias = "list[Step] | Callable[[Request], list[Step]]"


def raw(*steps: Step) -> list[Step]:
    """Play these bytes, waits and ends as they are."""
    return list(steps)


def json_response(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> list[Step]:
    """Respond with a whole JSON body; bytes and text are sent as they are."""
    content = body if isinstance(body, bytes) else str.encode(_text(body))
    fields = {"content-type": "application/json", "content-length": len(content), **(headers or {})}
    return [_head(status, fields) + content]


def sse_response(
    *events: Any, done: bool = True, status: int = 200, headers: Mapping[str, str] | None = None
) -> list[Step]:
    """Respond with server-sent events, each in an HTTP chunk of its own.

    An event is what stands behind ``data:`` (text as it is, anything else as JSON), bytes for a
    chunk of any content, or a step that is not bytes. A tuple names its event: (name, data).

    Args:
        events: What is sent.
        done: Whether ``[DONE]`` follows, and the end of the body. A body that does not end is
            cut off.
        status: The status of the response.
        headers: Further fields of its head.
    """
    fields = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    end: list[Step] = [_http_chunk(b"data: [DONE]\n\n"), b"0\r\n\r\n"] if done else [HANG_UP]
    return [_head(status, {**fields, **(headers or {})}), *map(_step, events), *end]


def sse_body(*chunks: bytes) -> list[Step]:
    """Respond with a complete body of server-sent events, split into HTTP chunks as it is given."""
    fields = {"content-type": "text/event-stream", "transfer-encoding": "chunked"}
    return [_head(200, fields), *(_http_chunk(chunk) for chunk in chunks if chunk), b"0\r\n\r\n"]


@dataclass
class ScriptedServer:
    """Sends its responses in order, one for each request, and records the requests.

    Used as an asynchronous context manager; ``url`` is then where it listens.
    """

    responses: deque[Answer] = field(default_factory=deque)
    otherwise: Answer | None = None  # sent once the responses are used up
    requests: list[Request] = field(default_factory=list)
    connections: int = 0  # how many are open
    accepted: int = 0  # how many there ever were

    def play(self, *responses: Answer) -> None:
        """Queue responses for the next requests."""
        self.responses.extend(responses)

    @property
    def url(self) -> str:
        host, port = self._server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    async def asked(self, count: int = 1) -> None:
        """Wait until there were that many requests."""
        await self._until(lambda: len(self.requests) >= count)

    async def deserted(self) -> None:
        """Wait until no connection is open."""
        await self._until(lambda: self.connections == 0)

    async def __aenter__(self) -> Self:
        self._changed = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=2048)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with self._changed:
            await self._changed.wait_for(condition)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    # A plain function, because asyncio reports the cancellation of a task that it made itself.
    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.accepted += 1
        try:
            while (request := await _read_request(reader)) is not None:
                self.requests.append(request)
                await self._tell()
                response = self.responses.popleft() if self.responses else self.otherwise
                if response is None:
                    response = json_response({"error": {"message": "nothing is scripted"}}, 501)
                steps = response(request) if callable(response) else response
                if not await _play(steps, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        finally:
            writer.close()
            self.connections -= 1
            await self._tell()


async def _play(
    steps: Iterable[Step], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    """Carry out the steps; return whether the connection can take another request."""
    for step in steps:
        if isinstance(step, bytes):
            writer.write(step)
            await writer.drain()
        elif isinstance(step, asyncio.Event):
            await _wait(step, reader)
        elif isinstance(step, Reset):
            linger = struct.pack("ii", 1, 0)  # closing discards what is left, and resets
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            return False
        else:
            return False
    return True


async def _wait(gate: asyncio.Event, reader: asyncio.StreamReader) -> None:
    """Wait for the event, or notice that the client has gone meanwhile."""
    opened = asyncio.ensure_future(gate.wait())
    left = asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait({opened, left}, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            raise ConnectionResetError("the client left, or sent more before the response")
    finally:
        opened.cancel()
        left.cancel()
        await asyncio.gather(opened, left, return_exceptions=True)


async def _read_request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").strip().split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


def _head(status: int, fields: Mapping[str, Any]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _http_chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def _step(event: Any) -> Step:
    if isinstance(event, asyncio.Event | Reset | HangUp):
        return event
    return _http_chunk(_frame(event))


def _frame(event: Any) -> bytes:
    if isinstance(event, bytes):
        return event
    if isinstance(event, tuple):
        name, data = event
        return f"event: {name}\ndata: {_text(data)}\n\n".encode()
    return f"data: {_text(event)}\n\n".encode()


def _text(data: Any) -> str:
    return data if isinstance(data, str) else json.dumps(data)
