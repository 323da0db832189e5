"""Model client for Ollama's own API."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, SecretStr
from typing_extensions import Required, Self, TypedDict, Unpack

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
from ferrogen.models.model_info import ModelInfo
from ferrogen.models.providers._call import Call, ModelRequest
from ferrogen.models.providers._client import ProviderClient
from ferrogen.models.providers._config import (
    check_names,
    checked_arguments,
    stated_abilities,
    writable,
)
from ferrogen.models.providers._connections import Connections
from ferrogen.models.providers._errors import Failures
from ferrogen.models.providers._plain_http import HttpConnection
from ferrogen.models.providers._secrets import (
    disclosed,
    given_secrets,
    loaded,
    protected,
)
from ferrogen.models.providers._structured import check_json_output, output_schema
from ferrogen.models.providers._tool_calls import ProviderData, WireNames
from ferrogen.models.providers.chat_completions.response import ChatResponse
from ferrogen.models.providers.chat_completions.tools import chosen, function, schemas_of
from ferrogen.models.usage import UsageLedger
from ferrogen.tools.protocol import Tool

_OF_REQUESTS = ("options", "think", "keep_alive")


class OllamaClientConfiguration(TypedDict, total=False):
    """The arguments of `OllamaChatCompletionClient`, which describes them.

    Example:
        ```python
        from ferrogen.models.ollama import OllamaClientConfiguration

        small: OllamaClientConfiguration = {"model": "qwen3:4b", "think": False}
        ```
    """

    model: Required[str]
    base_url: str | None
    api_key: str | SecretStr | None
    default_headers: Mapping[str, str | SecretStr] | None
    timeout: float | None
    options: Mapping[str, Any] | None
    think: bool | str | None
    keep_alive: str | float | None
    model_info: ModelInfo | None
    ledger: UsageLedger | None


class OllamaClientConfigurationConfigModel(BaseModel):
    """The config of an `OllamaChatCompletionClient`."""

    model_config = ConfigDict(protected_namespaces=())

    model: str
    base_url: str | None = None
    api_key: SecretStr | None = None
    default_headers: dict[str, str | SecretStr] | None = None
    timeout: float | None = None
    options: dict[str, Any] | None = None
    think: bool | str | None = None
    keep_alive: str | float | None = None
    model_info: ModelInfo | None = None


class OllamaChatCompletionClient(ProviderClient, Component[OllamaClientConfigurationConfigModel]):
    """A client for models that Ollama serves, on its own API.

    It loads models, thinks and sets options as Ollama does. Needs an HTTP client:
    ``pip install "ferrogen[ollama]"``. Failures are not retried; put a `Retrying` around it.

    Args:
        **arguments: The following, each by its name.
        model: The model, such as ``qwen3:8b``.
        base_url: The address; by default ``OLLAMA_HOST``, or ``http://localhost:11434``.
        api_key: The key of a hosted service.
        default_headers: Further headers of each request.
        timeout: Seconds to wait for the service to send something; 600 by default, because it
            loads the model first.
        options: Options of the model, such as ``temperature`` and ``num_ctx``.
        think: Whether, or how much, the model thinks.
        keep_alive: How long the model stays loaded.
        model_info: The abilities of the model; by default those in the registry.
        ledger: Where usage is recorded; its own by default.

    Raises:
        UnknownArgumentError: There is no such argument; also a `TypeError`.

    Example:
        ```python
        from ferrogen.models.ollama import OllamaChatCompletionClient

        client = OllamaChatCompletionClient(model="qwen3:8b", options={"temperature": 0})
        assert client.model_info["function_calling"]
        ```
    """

    component_type = "model"
    component_config_schema = OllamaClientConfigurationConfigModel
    component_provider_override = "ferrogen.models.ollama.OllamaChatCompletionClient"

    _provider = "ollama"

    def __init__(self, **arguments: Unpack[OllamaClientConfiguration]) -> None:
        given = checked_arguments(
            type(self).__name__,
            arguments,
            OllamaClientConfiguration.__annotations__,
            "settings of the model go into options",
        )
        ledger = given.pop("ledger", None)
        self._arguments = protected(given)
        self._fixed = {name: given[name] for name in _OF_REQUESTS if name in given}
        base_url = given.get("base_url") or os.environ.get("OLLAMA_HOST") or "localhost:11434"
        self._base_url = base_url if "://" in base_url else f"http://{base_url}"
        secrets = [secret.get_secret_value() for secret in given_secrets(self._arguments)]
        failures = Failures(f"the Ollama service of {given['model']}", secrets)
        super().__init__(
            self._arguments,
            stated_abilities(given["model"], given),
            Connections(lambda: self._connection(failures)),
            failures,
            ledger,
        )
        self._data = ProviderData(f"ollama:{self._base_url}")
        self._warned: set[str] = set()

    def _connection(self, failures: Failures) -> HttpConnection:
        clear = disclosed(self._arguments)
        headers = dict(clear.get("default_headers") or {})
        if key := clear.get("api_key"):
            headers["authorization"] = f"Bearer {key}"
        return HttpConnection(self._base_url, headers, clear.get("timeout") or 600.0, failures)

    def _call(self, request: ModelRequest) -> Call:
        check_names("create", request.extra, _OF_REQUESTS, "settings of the model go into options")
        body: dict[str, Any] = {"model": self._model, "stream": request.stream}
        body.update({**self._fixed, **request.extra})
        schemas = schemas_of(request.tools, self._model_info)
        choice = chosen(request.tool_choice, schemas)
        if choice == "required":
            raise ModelRequestError(
                "Ollama's API cannot require a call; pass tool_choice='auto', or one of the tools, "
                "which is then the only one that the model is offered"
            )
        if isinstance(choice, Tool):
            schemas = [schema for schema in schemas if schema["name"] == choice.schema["name"]]
        names = WireNames(schema["name"] for schema in schemas)
        if schemas and choice != "none":
            written = [function(schema, names) for schema in schemas]
            body["tools"] = [{"type": "function", "function": each} for each in written]
        wrapper = None
        if request.json_output is True:
            check_json_output(self._model_info)
            body["format"] = "json"
        elif request.json_output:
            output = output_schema(request.json_output, self._model_info)
            body["format"], wrapper = output.schema, output.wrapper
        body["messages"] = [
            wire for message in request.messages for wire in self._wires(message, names)
        ]
        reader = OllamaResponse(
            self._model_info["family"], names, self._failures, self._data, self._warned
        )
        return Call("/api/chat", body, reader, {}, wrapper)

    def _wires(self, message: LLMMessage, names: WireNames) -> Iterator[dict[str, Any]]:
        if isinstance(message, SystemMessage):
            yield {"role": "system", "content": message.content}
        elif isinstance(message, UserMessage):
            yield self._user(message)
        elif isinstance(message, FunctionExecutionResultMessage):
            for result in message.content:
                name = names.wire(result.name)
                yield {"role": "tool", "content": result.content, "tool_name": name}
        elif isinstance(message.content, str):
            yield {"role": "assistant", "content": message.content}
        else:
            yield self._calls(message, names)

    def _calls(self, message: AssistantMessage, names: WireNames) -> dict[str, Any]:
        calls = [call for call in message.content if not isinstance(call, str)]
        functions = [
            {"name": names.wire(call.name), "arguments": _object(call.arguments)} for call in calls
        ]
        kept = [each["message"] for each in self._data.of(calls) if "message" in each]
        return {
            "role": "assistant",
            "content": "" if kept else message.thought or "",
            **(kept[0] if kept else {}),
            "tool_calls": [{"function": function} for function in functions],
        }

    def _user(self, message: UserMessage) -> dict[str, Any]:
        if isinstance(message.content, str):
            return {"role": "user", "content": message.content}
        texts = [part for part in message.content if isinstance(part, str)]
        images = [part.to_base64() for part in message.content if isinstance(part, Image)]
        if images and not self._model_info["vision"]:
            raise ModelInfoError(
                "Model does not support vision and image was provided; if it does, set vision in "
                "model_info, else send no images"
            )
        wire: dict[str, Any] = {"role": "user", "content": "\n".join(texts)}
        return {**wire, "images": images} if images else wire

    def _to_config(self) -> OllamaClientConfigurationConfigModel:
        return OllamaClientConfigurationConfigModel.model_validate(writable(self._arguments))

    @classmethod
    def _from_config(cls, config: OllamaClientConfigurationConfigModel) -> Self:
        return cls(**loaded(dict(config)))


class OllamaResponse(ChatResponse):
    """Reads each line of a response as an event of a chat completion."""

    def _body(self, body: dict[str, Any], data: bytes) -> list[str]:
        if "message" not in body and "done" not in body:
            return super()._body(body, data)
        reason = body.get("done_reason") or ("stop" if body.get("done") else None)
        usage = {
            "prompt_tokens": body.get("prompt_eval_count"),
            "completion_tokens": body.get("eval_count"),
        }
        choice = {"index": 0, "delta": body.get("message") or {}, "finish_reason": reason}
        chunk = {"choices": [choice], "usage": usage, "model": body.get("model")}
        return super()._body(chunk, data)


def _object(arguments: str) -> Any:
    """Return arguments as the object that the API wants; others as the text that they are."""
    try:
        value = msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        value = None
    return value if isinstance(value, dict) else {"malformed_arguments": arguments}
