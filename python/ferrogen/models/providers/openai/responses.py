"""Model client for OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typing_extensions import Self, Unpack

from ferrogen._image import Image
from ferrogen.components.component import Component
from ferrogen.exceptions import ModelInfoError, ModelRequestError
from ferrogen.models.messages import (
    AssistantMessage,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from ferrogen.models.providers._call import Call, ModelRequest
from ferrogen.models.providers._config import check_names, writable
from ferrogen.models.providers._secrets import loaded
from ferrogen.models.providers._tool_calls import ProviderData, WireNames
from ferrogen.models.providers.chat_completions.tools import chosen, function, schemas_of
from ferrogen.models.providers.openai.client import OpenAIClient
from ferrogen.models.providers.openai.configuration import (
    OpenAIClientConfigurationConfigModel as ConfigModel,
)
from ferrogen.models.providers.openai.configuration import OpenAIResponsesClientConfiguration
from ferrogen.models.providers.openai.conversation import readable
from ferrogen.models.providers.openai.request import options_among, response_format
from ferrogen.models.providers.openai.responses_output import ResponsesOutput
from ferrogen.models.providers.openai.services import openai_client

_KNOWN = frozenset(OpenAIResponsesClientConfiguration.__annotations__)
_ADVICE = "arguments of a service beyond OpenAI's go into extra_body"


class OpenAIResponsesClient(OpenAIClient, Component[ConfigModel]):
    """A client for OpenAI's Responses API, with the arguments of `OpenAIChatCompletionClient`.

    Conversations are sent as a whole and not stored by the service (``store=True`` has it store
    them). The encrypted reasoning of a model is sent back with its calls.

    Args:
        **arguments: Those of `OpenAIResponsesClientConfiguration`: those of the connection as for
            `OpenAIChatCompletionClient`, and those of the API, such as ``reasoning``,
            ``max_output_tokens`` and ``temperature``.

    Raises:
        ClientSetupError: There is no key, or arguments contradict each other.
        UnknownArgumentError: There is no such argument; also a `TypeError`.

    Example:
        ```python
        from ferrogen.models.openai import OpenAIResponsesClient

        client = OpenAIResponsesClient(
            model="gpt-5", api_key="from a vault", reasoning={"effort": "low"}
        )
        assert "vault" not in repr(client)
        ```
    """

    component_type = "model"
    component_config_schema = ConfigModel
    component_provider_override = "ferrogen.models.openai.OpenAIResponsesClient"

    _known = _KNOWN
    _of_requests = _KNOWN
    _make_client = staticmethod(openai_client)

    def __init__(self, **arguments: Unpack[OpenAIResponsesClientConfiguration]) -> None:
        super().__init__(arguments)
        self._data = ProviderData(f"openai-responses:{self._host}")

    def _call(self, request: ModelRequest) -> Call:
        check_names("create", request.extra, _KNOWN, _ADVICE)
        include = ["reasoning.encrypted_content"]
        body: dict[str, Any] = {"store": False, "include": include, **self._fixed, **request.extra}
        options = options_among(body)
        body.update(body.pop("extra_body", None) or {})
        schemas = schemas_of(request.tools, self._model_info)
        names = WireNames(schema["name"] for schema in schemas)
        written = [{"type": "function", **function(schema, names)} for schema in schemas]
        if written:
            body["tools"] = [*body.get("tools", ()), *written]
        choice = chosen(request.tool_choice, schemas)
        if isinstance(choice, str):
            body["tool_choice"] = choice
        elif choice is not None:
            body["tool_choice"] = {"type": "function", "name": names.wire(choice.schema["name"])}
        held, wrapper = response_format(request.json_output, self._model_info)
        if held is not None:
            form = {"type": held["type"], **held.get("json_schema", {})}
            body["text"] = {**body.get("text", {}), "format": form}
        body["input"] = [
            item for message in request.messages for item in self._items(message, names)
        ]
        reader = ResponsesOutput(names, self._failures, self._data)
        body["stream"] = request.stream
        return Call("/responses", body, reader, options, wrapper)

    def _items(self, message: LLMMessage, names: WireNames) -> Iterator[dict[str, Any]]:
        if isinstance(message, SystemMessage):
            yield {"role": "system", "content": message.content}
        elif isinstance(message, UserMessage):
            yield {"role": "user", "content": self._content(message.content)}
        elif isinstance(message, FunctionExecutionResultMessage):
            for result in message.content:
                yield {
                    "type": "function_call_output",
                    "call_id": result.call_id,
                    "output": result.content,
                }
        elif isinstance(message, AssistantMessage):
            yield from self._said(message, names)
        else:
            raise ModelRequestError(f"Unknown message type: {type(message)}")

    def _said(self, message: AssistantMessage, names: WireNames) -> Iterator[dict[str, Any]]:
        if isinstance(message.content, str):
            yield {"role": "assistant", "content": message.content}
            return
        data = self._data.of(message.content)
        before = [item for each in data for item in each.get("items", ())]
        yield from before
        if message.thought and not before:
            yield {"role": "assistant", "content": message.thought}
        for call in message.content:
            yield {
                "type": "function_call",
                "call_id": call.id,
                "name": names.wire(call.name),
                "arguments": readable(call.arguments),
            }

    def _content(self, content: str | list[str | Image]) -> str | list[dict[str, Any]]:
        if isinstance(content, str):
            return content
        if not self._model_info["vision"] and any(isinstance(part, Image) for part in content):
            raise ModelInfoError(
                "Model does not support vision and image was provided; if it does, set vision in "
                "model_info, else send no images"
            )
        return [
            {"type": "input_text", "text": part}
            if isinstance(part, str)
            else {"type": "input_image", "image_url": part.data_uri, "detail": "auto"}
            for part in content
        ]

    def _to_config(self) -> ConfigModel:
        return ConfigModel.model_validate(writable(self._arguments))

    @classmethod
    def _from_config(cls, config: ConfigModel) -> Self:
        return cls(**loaded(dict(config)))
