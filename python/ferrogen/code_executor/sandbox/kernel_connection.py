"""The connection to a Jupyter kernel in the sandbox.

Requests are written by Jupyter's own library. What the kernel sends is not trusted, and read here:
a message that is malformed is ignored.
"""

import asyncio
import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
_DELIMITER = b"<IDS|MSG>"
# After as many messages in a row, other tasks of the event loop run.
_IN_A_ROW = 16
_WAITING = 4  # messages that ZeroMQ keeps before the kernel has to wait


@dataclass(frozen=True)
class KernelMessage:
    """A message from the kernel.

    Args:
        kind: The type, such as ``"stream"``.
        parent: The id of the request that it belongs to, or an empty text.
        content: The content.
    """

    kind: str
    parent: str
    content: dict[str, Any]


class _Header(msgspec.Struct):
    msg_type: str = ""
    msg_id: str = ""


_decode_header = msgspec.json.Decoder(_Header).decode
_decode_content = msgspec.json.Decoder(dict[str, Any]).decode


def decode_message(frames: list[bytes]) -> KernelMessage | None:
    """Return the message that some frames are, or None if they are none."""
    try:
        header, parent, _, content = frames[frames.index(_DELIMITER) + 2 :][:4]
        return KernelMessage(
            _decode_header(header).msg_type,
            _decode_header(parent).msg_id,
            _decode_content(content),
        )
    except (ValueError, RecursionError):
        return None


def connection_file(folder: str) -> dict[str, Any]:
    """Return what a kernel has to know, for sockets in a folder as the kernel sees it."""
    ports = {f"{name}_port": number for number, name in enumerate(_CHANNELS, start=1)}
    return {
        "transport": "ipc",
        "ip": f"{folder}/kernel",
        "key": secrets.token_hex(16),
        "signature_scheme": "hmac-sha256",
        **ports,
    }


class KernelConnection:
    """Sockets to a kernel, read on the event loop.

    Args:
        folder: The folder with the sockets.
        key: Signs the requests.
        most_bytes: The most bytes of a message: longer ones are lost.
    """

    def __init__(self, folder: Path, key: str, most_bytes: int) -> None:
        import zmq
        from jupyter_client.session import Session

        self._zmq: Any = zmq
        self._loop = asyncio.get_running_loop()
        self._session: Any = Session(key=key.encode())
        self._context = zmq.Context()
        # What the kernel sends is bounded: it could fill this process's memory.
        self._context.setsockopt(zmq.MAXMSGSIZE, most_bytes)
        self._context.setsockopt(zmq.RCVHWM, _WAITING)
        self._context.setsockopt(zmq.LINGER, 0)
        self._shell: Any = self._context.socket(zmq.DEALER)
        self._iopub: Any = self._context.socket(zmq.SUB)
        self._iopub.setsockopt(zmq.SUBSCRIBE, b"")
        for socket, name in ((self._shell, "shell"), (self._iopub, "iopub")):
            socket.connect(f"ipc://{folder}/kernel-{_CHANNELS.index(name) + 1}")
        self._in_a_row = 0
        self._listens = False
        self._arrived: asyncio.Future[bool] | None = None

    def send(self, kind: str, content: dict[str, Any]) -> str:
        """Send a request on the shell channel, and return its id."""
        message = self._session.send(self._shell, kind, content)
        request: str = message["header"]["msg_id"]
        return request

    async def receive(self, timeout: float | None = None) -> KernelMessage | None:
        """Return the next message, or None if none has arrived in some seconds."""
        while True:
            self._in_a_row += 1
            if self._in_a_row >= _IN_A_ROW:
                self._in_a_row = 0
                await asyncio.sleep(0)
            frames = self._next()
            if frames is None:
                self._in_a_row = 0
                if not await self._arrival(timeout):
                    return None
            elif (message := decode_message(frames)) is not None:
                return message

    def pause(self) -> None:
        """Ignore the sockets until `receive` is called again."""
        if self._listens:
            self._listens = False
            for socket in (self._iopub, self._shell):
                self._loop.remove_reader(socket.fileno())

    def close(self) -> None:
        """Close the sockets."""
        self.pause()
        self._context.destroy(linger=0)

    def _next(self) -> list[bytes] | None:
        for socket in (self._iopub, self._shell):
            try:
                frames: list[bytes] = socket.recv_multipart(self._zmq.NOBLOCK)
            except self._zmq.Again:
                continue
            return frames
        return None

    async def _arrival(self, timeout: float | None) -> bool:
        """Wait for an event of a socket: there is one after each read that found nothing."""
        arrived: asyncio.Future[bool] = self._loop.create_future()
        self._arrived = arrived
        if not self._listens:
            self._listens = True
            for socket in (self._iopub, self._shell):
                self._loop.add_reader(socket.fileno(), self._notify, True)
        timer = None if timeout is None else self._loop.call_later(timeout, self._notify, False)
        try:
            return await arrived
        finally:
            if timer is not None:
                timer.cancel()

    def _notify(self, result: bool) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(result)


def write_connection_file(folder: Path, connection: dict[str, Any]) -> Path:
    """Write what the kernel has to know into a folder."""
    file = folder / "connection.json"
    file.write_text(json.dumps(connection), encoding="ascii")
    return file
