"""Modules that were moved can be imported from where they were, and are the same objects."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ("former", "current", "name"),
    [
        ("wrappers", "middleware", "Cached"),
        ("wrappers.cached", "middleware.cached", "Cached"),
        ("wrappers.wrapper", "middleware.middleware", "AnsweringClient"),
        ("wrappers.failures", "middleware.failures", "kind_of"),
        ("wrappers.request_form", "middleware.json_forms", "fingerprint"),
        ("openai.hosted", "providers.openai.client", "OpenAIChatCompletionClient"),
        ("openai.client", "providers.openai.client", "ChatApiClient"),
        ("openai.tool_calls", "providers.chat_completions.tool_calls", "ToolCalls"),
        ("openai.tool_calls", "providers._tool_calls", "plain_name"),
        ("openai.chunks", "providers.chat_completions.response", "read_chunk"),
        ("anthropic.client", "providers.anthropic.client", "AnthropicChatCompletionClient"),
        ("anthropic.structured", "providers.anthropic.structured", "ANSWER_TOOL"),
        ("anthropic.conversation", "providers.anthropic.conversation", "conversation_of"),
        ("scripted", "", "ScriptedClient"),
        ("server_sent_events", "", "EventData"),
    ],
)
def test_a_former_path_leads_to_the_same_object(former: str, current: str, name: str) -> None:
    found = getattr(import_module(f"ferrogen.models.{former}"), name)
    if current:
        assert found is getattr(import_module(f"ferrogen.models.{current}"), name)
