"""Recorder middleware, which writes a cassette."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from threading import Lock
from typing import Any

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.components.model import ComponentModel
from ferrogen.exceptions import ClientSetupError
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.middleware.cassette import add_exchange, begin_cassette
from ferrogen.models.middleware.json_forms import written, written_failure, written_result
from ferrogen.models.middleware.middleware import Middleware
from ferrogen.models.middleware.redaction import Redaction, secrets_of
from ferrogen.models.middleware.request import Request, ResponseStream
from ferrogen.models.middleware.settings import Clock
from ferrogen.models.results import CreateResult
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

_LOG = logging.getLogger(f"{ROOT_LOGGER_NAME}.models")


class RecorderConfig(BaseModel):
    """The config of a `Recorder`."""

    client: ComponentModel
    path: str
    redact: Sequence[str] = ()


class Recorder(Middleware, Component[RecorderConfig]):
    """Writes requests and responses into a file, for `Replay`.

    The file is JSON, and complete after each response. A file that was there is replaced. Keys are
    never written: neither what the client and the environment have of them, nor what is shaped
    like a key, nor an extra argument under a name such as ``authorization``. Failures of the
    service are recorded too, as errors of Ferrogen; a response whose caller has left is not.

    Args:
        client: The client that is asked.
        path: The file.
        redact: Regular expressions of more that must not be written. `Replay` needs the same.
        clock: The source of time, for a service that says when to retry.

    Raises:
        ClientSetupError: There is no such folder.

    Example:
        ```python
        import asyncio
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from ferrogen.models import UserMessage
        from ferrogen.models.middleware import Recorder, Replay
        from ferrogen.testing import ScriptedModel


        async def main(path: Path) -> None:
            question = [UserMessage(content="Hello", source="me")]
            recorder = Recorder(ScriptedModel(["Ciao!"]), path)
            recorded = await recorder.create(question)
            assert await Replay(path).create(question) == recorded


        with TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder) / "greeting.json"))
        ```
    """

    __module__ = "ferrogen.models.middleware"

    component_config_schema = RecorderConfig

    def __init__(
        self,
        client: ChatCompletionClient,
        path: str | os.PathLike[str],
        *,
        redact: Sequence[str] = (),
        clock: Clock | None = None,
    ) -> None:
        super().__init__(client)
        self._path = Path(path)
        if not self._path.absolute().parent.is_dir():
            raise ClientSetupError(f"{self._path} cannot be recorded: make its folder first")
        self._patterns = tuple(redact)
        self._redaction = Redaction(redact, secrets_of(client))
        self._begun = 0
        self._clock = clock or Clock()
        self._lock = Lock()
        self._has_file = False

    async def _respond(self, request: Request) -> ResponseStream:
        self._begun += 1
        exchange = {
            "number": self._begun,
            "request": self._redaction.request(written(request)),
            "streaming": request.streaming,
        }
        pieces: list[str] = []
        async with aclosing(request.ask(self._client)) as items:
            while True:
                try:
                    item = await anext(items)
                except StopAsyncIteration:
                    return
                except Exception as error:
                    failure = written_failure(error, self._clock.time())
                    if failure is not None:
                        await self._write(exchange, pieces, {"error": failure})
                    raise
                if isinstance(item, CreateResult):
                    # Before it is yielded: the consumer may stop then.
                    await self._write(exchange, pieces, {"result": written_result(item)})
                else:
                    pieces.append(item)
                yield item

    async def _write(
        self, exchange: dict[str, Any], pieces: Sequence[str], end: dict[str, Any]
    ) -> None:
        recorded = self._redaction(end)
        if exchange["streaming"]:
            recorded = {"pieces": self._redaction.pieces(pieces), **recorded}
        await asyncio.to_thread(self._add, {**exchange, "answer": recorded})

    def _add(self, exchange: dict[str, Any]) -> None:
        with self._lock:
            if not self._has_file:
                begin_cassette(self._path, self.model_info, self._context_length())
                self._has_file = True
            add_exchange(self._path, exchange)

    def _context_length(self) -> int | None:
        try:
            return self.remaining_tokens([])
        except Exception:  # noqa: BLE001 - some clients have to download a tokenizer
            _LOG.warning("the client does not know its context length for the cassette")
            return None

    def _to_config(self) -> RecorderConfig:
        return RecorderConfig(
            client=self._client.dump_component(), path=str(self._path), redact=self._patterns
        )

    @classmethod
    def _from_config(cls, config: RecorderConfig) -> Self:
        client = ChatCompletionClient.load_component(config.client)
        return cls(client, config.path, redact=config.redact)
