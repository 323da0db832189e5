"""A model client with scripted responses, for tests and examples."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen._components.component import Component
from ferrogen.exceptions import ClientSetupError, ModelError
from ferrogen.models.families import ModelFamily
from ferrogen.models.messages import FunctionExecutionResult, LLMMessage
from ferrogen.models.middleware.clock import Clock, pause
from ferrogen.models.middleware.middleware import AnsweringClient
from ferrogen.models.middleware.request import Answer, Request
from ferrogen.models.model_info import ModelCapabilities, ModelInfo
from ferrogen.models.results import CreateResult, RequestUsage
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

Line = str | CreateResult | Exception | Sequence[str | Exception]
"""What is answered once: text; a result; an error; or the pieces of a stream one by one, which an
error may break off."""

_ABILITIES = ModelInfo(
    vision=True,
    function_calling=True,
    json_output=True,
    structured_output=True,
    multiple_system_messages=True,
    family=ModelFamily.UNKNOWN,
)


class ScriptedClientConfig(BaseModel):
    """The config of a `ScriptedClient`: what it has yet to answer."""

    lines: list[str | CreateResult | list[str]]
    abilities: ModelInfo
    context_length: int = 8192


class ScriptedClient(AnsweringClient, Component[ScriptedClientConfig]):
    """A client that answers what it was told to, without any model.

    A token is a word, so that usage can be told beforehand.

    Args:
        lines: The answers, one for each request; or a function that answers every request.
        model_info: What it says of its model; by default that it can do everything.
        context_length: The tokens that a request may have.

    Example:
        ```python
        import asyncio

        from ferrogen.models import UserMessage
        from ferrogen.models.scripted import ScriptedClient


        async def main():
            client = ScriptedClient(["Ciao!", TimeoutError("too late")])
            question = [UserMessage(content="Say hello", source="me")]
            result = await client.create(question)
            assert (result.content, result.usage.prompt_tokens) == ("Ciao!", 2)
            try:
                await client.create(question)
            except TimeoutError:
                print("as it was told")


        asyncio.run(main())
        ```
    """

    component_config_schema = ScriptedClientConfig

    def __init__(
        self,
        lines: Iterable[Line] | Callable[[Sequence[LLMMessage]], Line],
        *,
        model_info: ModelInfo = _ABILITIES,
        context_length: int = 8192,
    ) -> None:
        self._answer_all = lines if callable(lines) else None
        self._lines: list[Line] = [] if callable(lines) else list(lines)
        self._model_info = model_info
        self._context_length = context_length
        self._usage = RequestUsage(0, 0)
        self.requests: list[Sequence[LLMMessage]] = []
        """The messages of every request so far."""

    async def _answer(self, request: Request) -> Answer:
        await pause(Clock(), 0, request.cancellation_token)
        self.requests.append(list(request.messages))
        line = self._next(request.messages)
        pieces = [] if isinstance(line, CreateResult) else _pieces(line)
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            if request.streaming:
                yield piece
        result = line if isinstance(line, CreateResult) else self._result(request, pieces)
        used = result.usage
        self._usage = RequestUsage(
            self._usage.prompt_tokens + used.prompt_tokens,
            self._usage.completion_tokens + used.completion_tokens,
        )
        yield result

    def _next(self, messages: Sequence[LLMMessage]) -> Line:
        if self._answer_all is not None:
            return self._answer_all(messages)
        if not self._lines:
            raise ModelError("the scripted client has answered all that it was given answers for")
        return self._lines.pop(0)

    def _result(self, request: Request, pieces: Sequence[str | Exception]) -> CreateResult:
        text = "".join(piece for piece in pieces if isinstance(piece, str))
        usage = RequestUsage(
            self.count_tokens(request.messages, tools=request.tools), len(text.split())
        )
        return CreateResult(finish_reason="stop", content=text, usage=usage, cached=False)

    async def close(self) -> None:
        """Do nothing: there is nothing to let go of."""

    def actual_usage(self) -> RequestUsage:
        """Return the words of all requests."""
        return self._usage

    def total_usage(self) -> RequestUsage:
        """Return the words of all requests."""
        return self._usage

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Count the words of the messages; pictures, calls and tools take none."""
        return sum(len(text.split()) for message in messages for text in _texts(message))

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """Return how many words are left beside these; below zero, they are too many."""
        return self._context_length - self.count_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelCapabilities:
        """What it was said to be able to do."""
        return self._model_info

    @property
    def model_info(self) -> ModelInfo:
        """What it was said to be able to do."""
        return self._model_info

    def _to_config(self) -> ScriptedClientConfig:
        if self._answer_all is not None:
            raise ClientSetupError("a scripted client that answers by a function cannot be dumped")
        plain = [line for line in self._lines if not _has_an_error(line)]
        if len(plain) < len(self._lines):
            raise ClientSetupError("a scripted client that is to raise errors cannot be dumped")
        return ScriptedClientConfig.model_validate(
            {"lines": plain, "context_length": self._context_length, "abilities": self._model_info}
        )

    @classmethod
    def _from_config(cls, config: ScriptedClientConfig) -> Self:
        return cls(config.lines, model_info=config.abilities, context_length=config.context_length)


def _pieces(line: str | Exception | Sequence[str | Exception]) -> Sequence[str | Exception]:
    if isinstance(line, str):
        return re.findall(r"\S+\s*|\s+", line)
    return [line] if isinstance(line, Exception) else line


def _texts(message: LLMMessage) -> Iterator[str]:
    content = message.content
    for part in [content] if isinstance(content, str) else content:
        if isinstance(part, str):
            yield part
        elif isinstance(part, FunctionExecutionResult):
            yield part.content


def _has_an_error(line: Line) -> bool:
    return isinstance(line, Exception) or (
        not isinstance(line, (str, CreateResult))
        and any(isinstance(piece, Exception) for piece in line)
    )
