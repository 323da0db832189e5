"""Arguments and component config of the client."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, SecretStr
from typing_extensions import Required, TypedDict

from ferrogen.models.model_info import ModelInfo
from ferrogen.models.usage import UsageLedger

PromptCache = Literal["5m", "1h"]
"""How long the service remembers."""

# Of these the API wants no mark.
_UNMARKED = ("thinking", "redacted_thinking")


def mark_for_cache(body: dict[str, Any], lifetime: PromptCache) -> None:
    """Mark a request, whose system is a list of blocks, in place."""
    mark = {"type": "ephemeral"} if lifetime == "5m" else {"type": "ephemeral", "ttl": lifetime}
    for part in ("system", "tools"):
        if body.get(part):
            _mark_last(body[part], mark)
            break
    _mark_last(body["messages"][-1]["content"], mark)


def _mark_last(blocks: list[dict[str, Any]], mark: dict[str, str]) -> None:
    for number in reversed(range(len(blocks))):
        if blocks[number].get("type") not in _UNMARKED:
            blocks[number] = {**blocks[number], "cache_control": mark}
            return


_THOUGHTS = ("thinking", "redacted_thinking")


def thinks(body: Mapping[str, Any]) -> bool:
    """Return whether a request asks the model to think."""
    wish: Mapping[str, Any] = body.get("thinking") or {}
    return bool(wish.get("type", "disabled") != "disabled")


def keep_thinking_possible(body: dict[str, Any]) -> None:
    """Take the wish to think out of a request that the API would refuse because of it.

    A turn in progress, which is one whose tool results were just added, has to begin with a
    thought and its signature. There is none if the calls were made without thinking, or by
    another client, as in a handoff between agents.
    """
    wish: Mapping[str, Any] = body.get("thinking") or {}
    if wish.get("type") == "enabled" and _is_unsigned_turn(body["messages"]):
        del body["thinking"]


def _is_unsigned_turn(messages: Sequence[Mapping[str, Any]]) -> bool:
    if messages[-1]["role"] != "user" or messages[-1]["content"][0]["type"] != "tool_result":
        return False
    return messages[-2]["content"][0]["type"] not in _THOUGHTS


DEFAULT_MAX_TOKENS = 4096
"""The default length of responses; the API requires one."""


class ThinkingConfig(TypedDict, total=False):
    """Whether the model thinks before it responds, and for how many tokens.

    Example:
        ```python
        from ferrogen.models.anthropic import ThinkingConfig

        thorough = ThinkingConfig(type="enabled", budget_tokens=4096)
        ```
    """

    type: Required[Literal["enabled", "disabled", "adaptive"]]
    budget_tokens: int | None


class AnthropicClientConfiguration(TypedDict, total=False):
    """The arguments of `AnthropicChatCompletionClient`, which describes them.

    Example:
        ```python
        from ferrogen.models.anthropic import (
            AnthropicChatCompletionClient,
            AnthropicClientConfiguration,
        )

        arguments: AnthropicClientConfiguration = {"model": "claude-sonnet-4-5", "max_tokens": 99}
        client = AnthropicChatCompletionClient(**arguments)
        ```
    """

    model: Required[str]
    max_tokens: int | None
    temperature: float | None
    top_p: float | None
    top_k: int | None
    stop_sequences: list[str] | None
    response_format: dict[str, Any] | None
    metadata: dict[str, str] | None
    thinking: ThinkingConfig | None
    tools: list[dict[str, Any]] | None
    tool_choice: Literal["auto", "any", "none"] | dict[str, Any] | None
    prompt_cache: PromptCache | None
    api_key: str | SecretStr | None
    auth_token: str | SecretStr | None
    base_url: str | None
    timeout: float | None
    max_retries: int | None
    default_headers: Mapping[str, str | SecretStr] | None
    http_client: Any
    ledger: UsageLedger | None
    model_info: ModelInfo | None
    model_capabilities: Mapping[str, bool] | None


class AnthropicClientConfigurationConfigModel(BaseModel):
    """The same as it is written into a component's config; keys are hidden in JSON.

    Example:
        ```python
        from pydantic import SecretStr

        from ferrogen.models.anthropic import AnthropicClientConfigurationConfigModel

        config = AnthropicClientConfigurationConfigModel(
            model="claude-sonnet-4-5", api_key=SecretStr("secret")
        )
        assert "secret" not in config.model_dump_json()
        ```
    """

    model: str
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    response_format: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    thinking: dict[str, Any] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: Literal["auto", "any", "none"] | dict[str, Any] | None = None
    prompt_cache: PromptCache | None = None
    api_key: SecretStr | None = None
    auth_token: SecretStr | None = None
    base_url: str | None = None
    timeout: float | None = None
    max_retries: int | None = None
    default_headers: dict[str, str | SecretStr] | None = None
    model_info: dict[str, Any] | None = None
    model_capabilities: dict[str, bool] | None = None
