"""Requests of servers to their client: elicitation, sampling, log records."""

import logging
import time
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ferrogen._image import Image
from ferrogen.telemetry.names import ROOT_LOGGER_NAME
from ferrogen.tools.mcp import sdk

if TYPE_CHECKING:
    from ferrogen.models.client import ChatCompletionClient
    from ferrogen.models.messages import LLMMessage

_logger = logging.getLogger(f"{ROOT_LOGGER_NAME}.tools.mcp")
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "notice": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "alert": logging.CRITICAL,
    "emergency": logging.CRITICAL,
}


@dataclass(frozen=True)
class Elicitation:
    """A question of a server for a person.

    Example:
        ```python
        from ferrogen.tools.mcp import Elicitation


        async def ask(question: Elicitation) -> dict[str, str] | None:
            return {"name": input(question.message)}
        ```
    """

    __module__ = "ferrogen.tools.mcp"

    message: str
    """The question."""
    schema: Mapping[str, Any]
    """The JSON Schema of the answer."""
    url: str | None = None
    """A page that the person has to visit, instead of an answer."""


@dataclass(frozen=True)
class McpLogRecord:
    """A log record of a server."""

    __module__ = "ferrogen.tools.mcp"

    level: str
    """``debug``, ``info``, ``notice``, ``warning``, ``error``, ``critical`` and so on."""
    data: Any
    """The logged data: a text, or JSON values."""
    logger: str | None = None


OnElicitation = Callable[[Elicitation], Awaitable[Mapping[str, Any] | None]]
OnLog = Callable[[McpLogRecord], object]


class Questions:
    """The time during which a server waits for a person or a model of its client."""

    def __init__(self) -> None:
        self._seconds, self._open, self._since = 0.0, 0, 0.0

    @property
    def seconds(self) -> float:
        """The seconds so far."""
        now = time.monotonic() - self._since if self._open else 0.0
        return self._seconds + now

    @contextmanager
    def asking(self) -> Generator[None, None, None]:
        """Count the time inside the block."""
        if self._open == 0:
            self._since = time.monotonic()
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            if self._open == 0:
                self._seconds += time.monotonic() - self._since


def make_callbacks(
    on_elicitation: OnElicitation | None,
    on_log: OnLog | None,
    model_client: "ChatCompletionClient | None",
    questions: Questions,
) -> dict[str, Any]:
    """Create the callbacks of a ``ClientSession``. The server learns which requests it can make.

    Args:
        on_elicitation: Asks a person; None as its result declines.
        on_log: Gets log records; by default they go to a logger.
        model_client: The model for responses that the server requests.
        questions: Counts the time that questions take.
    """

    async def elicit(context: Any, params: Any) -> Any:
        asked = sdk.wire(params)
        question = Elicitation(
            asked.get("message", ""), asked.get("requestedSchema", {}), asked.get("url")
        )
        try:
            with questions.asking():
                answer = await _present(on_elicitation)(question)
        except Exception:
            _logger.exception("the question of an MCP server could not be asked")
            return sdk.of_wire("ElicitResult", {"action": "cancel"})
        if answer is None:
            return sdk.of_wire("ElicitResult", {"action": "decline"})
        return sdk.of_wire("ElicitResult", {"action": "accept", "content": dict(answer)})

    async def log(params: Any) -> None:
        given = sdk.wire(params)
        record = McpLogRecord(given.get("level", "info"), given.get("data"), given.get("logger"))
        if on_log is not None:
            on_log(record)
            return
        name = f"{_logger.name}.{record.logger}" if record.logger else _logger.name
        level = _LEVELS.get(record.level, logging.INFO)
        logging.getLogger(name).log(level, "%s", record.data)

    async def sample(context: Any, params: Any) -> Any:
        try:
            with questions.asking():
                return await _sampled(_present(model_client), sdk.wire(params))
        except Exception as error:
            _logger.exception("a response that an MCP server requested could not be made")
            return sdk.of_wire("ErrorData", {"code": -32603, "message": str(error)})

    callbacks: dict[str, Any] = {"logging_callback": log}
    if on_elicitation is not None:
        callbacks["elicitation_callback"] = elicit
    if model_client is not None:
        callbacks["sampling_callback"] = sample
    return callbacks


def _present(value: Any) -> Any:
    assert value is not None
    return value


async def _sampled(client: "ChatCompletionClient", params: Mapping[str, Any]) -> Any:
    from ferrogen.models.messages import SystemMessage

    messages: list[LLMMessage] = []
    if params.get("systemPrompt"):
        messages.append(SystemMessage(content=params["systemPrompt"]))
    messages += [_message(each) for each in params["messages"]]
    response = await client.create(messages)
    if not isinstance(response.content, str):
        raise TypeError("the model called tools, and the server asked for text")
    content = {"type": "text", "text": response.content}
    model = getattr(client, "model", None) or type(client).__name__
    result = {"role": "assistant", "content": content, "model": str(model)}
    return sdk.of_wire("CreateMessageResult", {**result, "stopReason": "endTurn"})


def _message(message: Mapping[str, Any]) -> "LLMMessage":
    from ferrogen.models.messages import AssistantMessage, UserMessage

    given = message["content"]
    parts = given if isinstance(given, list) else [given]
    content: list[str | Image] = []
    for part in parts:
        if part["type"] == "text":
            content.append(part["text"])
        elif part["type"] == "image":
            content.append(Image.from_base64(part["data"]))
        else:
            raise TypeError(f"a part of the type {part['type']} cannot be sent to a model")
    if message["role"] == "assistant":
        texts = "\n".join(part for part in content if isinstance(part, str))
        return AssistantMessage(content=texts, source="assistant")
    only = content[0] if len(content) == 1 else None
    return UserMessage(content=only if isinstance(only, str) else content, source="user")
