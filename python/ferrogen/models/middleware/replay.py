"""Replay of recorded responses."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from difflib import SequenceMatcher, unified_diff
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.exceptions import CassetteError, ReplayMismatchError
from ferrogen.models.messages import LLMMessage
from ferrogen.models.middleware.cassette import Exchange, read_cassette
from ferrogen.models.middleware.json_forms import written
from ferrogen.models.middleware.middleware import AnsweringClient
from ferrogen.models.middleware.redaction import Redaction
from ferrogen.models.middleware.request import Request, ResponseStream
from ferrogen.models.model_info import ModelCapabilities, ModelInfo
from ferrogen.models.results import CreateResult, RequestUsage
from ferrogen.models.tokens import count_tokens
from ferrogen.models.usage import DetailedUsage
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema


class ReplayConfig(BaseModel):
    """The config of a `Replay`; it begins the cassette anew."""

    path: str
    order: Literal["strict", "any"] = "strict"
    redact: Sequence[str] = ()


class Replay(AnsweringClient, Component[ReplayConfig]):
    """Responds as a `Recorder` has written, without any model.

    Each is given once, for exactly the request that was recorded. It claims the abilities of the
    recorded client, and estimates tokens by itself.

    Args:
        path: The file.
        order: Whether requests have to come in the order in which they were recorded
            (``"strict"``), or in any (``"any"``).
        redact: The argument of the recorder.

    Raises:
        CassetteError: The file is not a cassette.
        OSError: The file cannot be read.

    Example:
        ```python
        import asyncio
        from pathlib import Path
        from tempfile import TemporaryDirectory

        from ferrogen.exceptions import ReplayMismatchError
        from ferrogen.models import UserMessage
        from ferrogen.models.middleware import Recorder, Replay
        from ferrogen.testing import ScriptedModel


        async def main(path: Path) -> None:
            recorder = Recorder(ScriptedModel(["Ciao!"]), path)
            await recorder.create([UserMessage(content="Hello", source="me")])
            try:
                await Replay(path).create([UserMessage(content="Help!", source="me")])
            except ReplayMismatchError as error:
                assert '"content": "Help!"' in str(error)


        with TemporaryDirectory() as folder:
            asyncio.run(main(Path(folder) / "greeting.json"))
        ```
    """

    __module__ = "ferrogen.models.middleware"

    component_config_schema = ReplayConfig

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        order: Literal["strict", "any"] = "strict",
        redact: Sequence[str] = (),
    ) -> None:
        self._path = Path(path)
        self._order: Literal["strict", "any"] = order
        self._patterns = tuple(redact)
        self._redaction = Redaction(redact)
        self._cassette = read_cassette(self._path)
        self._left = list(self._cassette.exchanges)
        self._usage = DetailedUsage(0, 0, cost=0.0)

    @property
    def left(self) -> int:
        """The number of recorded responses that were not returned yet."""
        return len(self._left)

    async def _respond(self, request: Request) -> ResponseStream:
        exchange = self._take(self._redaction.request(written(request)), request.streaming)
        if request.streaming:
            for piece in exchange.pieces:
                yield piece
        if not isinstance(exchange.end, CreateResult):
            raise exchange.end
        self._usage += exchange.end.usage
        yield exchange.end

    def _take(self, form: dict[str, Any], streaming: bool) -> Exchange:
        given = len(self._cassette.exchanges) - len(self._left)
        if not self._left:
            raise ReplayMismatchError(
                f"{self._path} has {given} responses, and all were used; record it anew"
            )
        candidates = self._left if self._order == "any" else self._left[:1]
        for exchange in candidates:
            if exchange.request == form and exchange.streaming == streaming:
                self._left.remove(exchange)
                return exchange
        asked = _lines(form, streaming)
        recorded = max(
            (_lines(each.request, each.streaming) for each in candidates),
            key=lambda lines: SequenceMatcher(None, lines, asked).ratio(),
        )
        difference = "\n".join(unified_diff(recorded, asked, "recorded", "asked", lineterm=""))
        raise ReplayMismatchError(
            f"request {given + 1} is not in {self._path}, or out of order; record it anew, or "
            f"see what differs:\n{difference}"
        )

    async def close(self) -> None:
        """Do nothing: the file is closed already."""

    def actual_usage(self) -> RequestUsage:
        """Return the tokens of all responses returned, as they were recorded."""
        return self._usage

    def total_usage(self) -> RequestUsage:
        """Return the tokens of all responses returned, as they were recorded."""
        return self._usage

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Estimate the tokens that a request of these messages and tools would take."""
        return count_tokens(messages, tools)

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Estimate how many tokens the recorded model would have left beside these.

        Raises:
            CassetteError: The recorded client did not know its context length.
        """
        if self._cassette.context_length is None:
            raise CassetteError(f"{self._path} has no context_length; write one into the file")
        return self._cassette.context_length - self.count_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelCapabilities:
        """The abilities of the recorded model."""
        return self.model_info

    @property
    def model_info(self) -> ModelInfo:
        """The abilities of the recorded model."""
        return self._cassette.model_info

    def _to_config(self) -> ReplayConfig:
        return ReplayConfig(path=str(self._path), order=self._order, redact=self._patterns)

    @classmethod
    def _from_config(cls, config: ReplayConfig) -> Self:
        return cls(config.path, order=config.order, redact=config.redact)


def _lines(form: dict[str, Any], streaming: bool) -> list[str]:
    whole = {"request": form, "streaming": streaming}
    return json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False).splitlines()
