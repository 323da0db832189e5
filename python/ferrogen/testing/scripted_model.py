"""A model client with scripted responses, for tests and examples."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias, TypeGuard, cast

from pydantic import BaseModel
from typing_extensions import Self

from ferrogen.components.component import Component
from ferrogen.exceptions import ClientSetupError, ModelError
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.messages import FunctionExecutionResult, LLMMessage
from ferrogen.models.middleware.middleware import AnsweringClient
from ferrogen.models.middleware.request import Request, ResponseStream
from ferrogen.models.middleware.settings import Clock, pause
from ferrogen.models.model_info import ModelCapabilities, ModelFamily, ModelInfo
from ferrogen.models.results import CreateResult, RequestUsage
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

Line: TypeAlias = (
    str
    | FunctionCall
    | CreateResult
    | Exception
    | Sequence[str | Exception]
    | Sequence[FunctionCall]
)
"""One response: text; one or several tool calls; a result; an error; or the pieces of a stream,
which an error may break off."""

_ABILITIES = ModelInfo(
    vision=True,
    function_calling=True,
    json_output=True,
    structured_output=True,
    multiple_system_messages=True,
    family=ModelFamily.UNKNOWN,
)


class ScriptedModelConfig(BaseModel):
    """The config of a `ScriptedModel`: the responses that are left."""

    lines: list[str | FunctionCall | CreateResult | list[FunctionCall] | list[str]]
    abilities: ModelInfo
    context_length: int = 8192


class ScriptedModel(AnsweringClient, Component[ScriptedModelConfig]):
    """A client that gives scripted responses, without any model.

    A token is a word, so that usage is known beforehand.

    Args:
        lines: The responses, one for each request; or a function that returns every response.
        model_info: The abilities of its model; by default all of them.
        context_length: The tokens that a request may have.

    Example:
        ```python
        import asyncio

        from ferrogen import FunctionCall
        from ferrogen.models import UserMessage
        from ferrogen.testing import ScriptedModel


        async def main() -> None:
            model = ScriptedModel([ScriptedModel.call("weather", city="Turin"), "It is sunny."])
            question = [UserMessage(content="Is it sunny in Turin?", source="me")]
            called = await model.create(question)
            assert called.content == [FunctionCall("call_1", '{"city": "Turin"}', "weather")]
            result = await model.create(question)
            assert (result.content, result.usage.prompt_tokens) == ("It is sunny.", 5)
            assert len(model.requests) == 2


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.testing"

    component_config_schema = ScriptedModelConfig

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
        self._calls = 0
        self.requests: list[Sequence[LLMMessage]] = []
        """The messages of every request so far."""

    @staticmethod
    def call(name: str, /, **arguments: Any) -> FunctionCall:
        """Return a line that calls a tool.

        The call gets an id when it is returned: ``call_1``, ``call_2`` and so on.

        Args:
            name: The tool.
            **arguments: Its arguments, as JSON values.
        """
        return FunctionCall(id="", name=name, arguments=json.dumps(arguments, ensure_ascii=False))

    async def _respond(self, request: Request) -> ResponseStream:
        await pause(Clock(), 0, request.cancellation_token)
        self.requests.append(list(request.messages))
        line = self._next(request.messages)
        pieces: Sequence[str | Exception] = []
        if isinstance(line, CreateResult):
            result = line
        elif isinstance(line, FunctionCall) or _are_calls(line):
            result = self._result(request, [line] if isinstance(line, FunctionCall) else line)
        else:
            pieces = _pieces(cast("str | Exception | Sequence[str | Exception]", line))
            result = self._result(request, "".join(p for p in pieces if isinstance(p, str)))
        for piece in pieces:
            if isinstance(piece, Exception):
                raise piece
            if request.streaming:
                yield piece
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
            raise ModelError("the scripted model has no more responses: pass it one more line")
        return self._lines.pop(0)

    def _result(self, request: Request, content: str | Sequence[FunctionCall]) -> CreateResult:
        prompt = self.count_tokens(request.messages, tools=request.tools)
        if isinstance(content, str):
            usage = RequestUsage(prompt, len(content.split()))
            return CreateResult(finish_reason="stop", content=content, usage=usage, cached=False)
        calls = [self._with_id(call) for call in content]
        words = sum(len(f"{call.name} {call.arguments}".split()) for call in calls)
        return CreateResult(
            finish_reason="function_calls",
            content=calls,
            usage=RequestUsage(prompt, words),
            cached=False,
        )

    def _with_id(self, call: FunctionCall) -> FunctionCall:
        self._calls += 1
        return call if call.id else replace(call, id=f"call_{self._calls}")

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

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
        """The abilities that it was given."""
        return self._model_info

    @property
    def model_info(self) -> ModelInfo:
        """The abilities that it was given."""
        return self._model_info

    def _to_config(self) -> ScriptedModelConfig:
        if self._answer_all is not None:
            raise ClientSetupError("a scripted model with a function cannot be dumped")
        plain = [line for line in self._lines if not _has_an_error(line)]
        if len(plain) < len(self._lines):
            raise ClientSetupError("a scripted model that is to raise errors cannot be dumped")
        return ScriptedModelConfig.model_validate(
            {"lines": plain, "context_length": self._context_length, "abilities": self._model_info}
        )

    @classmethod
    def _from_config(cls, config: ScriptedModelConfig) -> Self:
        return cls(config.lines, model_info=config.abilities, context_length=config.context_length)


def _pieces(line: str | Exception | Sequence[str | Exception]) -> Sequence[str | Exception]:
    if isinstance(line, str):
        return re.findall(r"\S+\s*|\s+", line)
    return [line] if isinstance(line, Exception) else line


def _are_calls(line: object) -> TypeGuard[Sequence[FunctionCall]]:
    if isinstance(line, (str, Exception)) or not isinstance(line, Sequence) or not line:
        return False
    return all(isinstance(each, FunctionCall) for each in line)


def _texts(message: LLMMessage) -> Iterator[str]:
    content = message.content
    for part in [content] if isinstance(content, str) else content:
        if isinstance(part, str):
            yield part
        elif isinstance(part, FunctionExecutionResult):
            yield part.content


def _has_an_error(line: Line) -> bool:
    if isinstance(line, (str, CreateResult, FunctionCall)):
        return False
    return isinstance(line, Exception) or any(isinstance(piece, Exception) for piece in line)
