"""Clients are written against the abstract class, and loaded through it."""

from unittest import mock

import pytest
from pydantic import BaseModel

from ferrogen import Component
from ferrogen.exceptions import ComponentTypeError
from ferrogen.models import (
    ChatCompletionClient,
    CreateResult,
    ModelFamily,
    ModelInfo,
    RequestUsage,
    UserMessage,
)


class EchoConfig(BaseModel):
    greeting: str


class Echo(ChatCompletionClient, Component[EchoConfig]):
    component_config_schema = EchoConfig

    def __init__(self, greeting: str):
        self.greeting = greeting
        self.used = 0

    async def create(self, messages, **options):
        self.used += self.count_tokens(messages)
        return CreateResult(
            finish_reason="stop",
            content=f"{self.greeting}, {messages[-1].content}",
            usage=self.total_usage(),
            cached=False,
        )

    async def create_stream(self, messages, **options):
        result = await self.create(messages, **options)
        for word in result.content.split():
            yield word
        yield result

    async def close(self):
        pass

    def actual_usage(self):
        return RequestUsage(prompt_tokens=self.used, completion_tokens=0)

    def total_usage(self):
        return self.actual_usage()

    def count_tokens(self, messages, *, tools=()):
        return sum(len(message.content.split()) for message in messages)

    def remaining_tokens(self, messages, *, tools=()):
        return 10 - self.count_tokens(messages)

    @property
    def capabilities(self):
        return self.model_info

    @property
    def model_info(self):
        return ModelInfo(
            vision=False,
            function_calling=False,
            json_output=False,
            structured_output=False,
            family=ModelFamily.UNKNOWN,
        )

    def _to_config(self):
        return EchoConfig(greeting=self.greeting)

    @classmethod
    def _from_config(cls, config):
        return cls(config.greeting)


async def test_a_client_responds_at_once_and_in_pieces():
    client = Echo("hello")
    question = [UserMessage(content="you there", source="user")]
    assert (await client.create(question)).content == "hello, you there"
    *pieces, result = [item async for item in client.create_stream(question)]
    assert pieces == ["hello,", "you", "there"]
    assert result.usage == RequestUsage(prompt_tokens=4, completion_tokens=0)


def test_a_client_that_lacks_methods_cannot_be_made():
    with pytest.raises(TypeError, match="abstract"):
        type("Half", (ChatCompletionClient,), {})()


def test_a_client_is_dumped_as_a_model_and_loaded_through_the_abstract_class(monkeypatch):
    monkeypatch.setenv("AUTOGEN_ALLOWED_PROVIDER_NAMESPACES", __name__)
    dumped = Echo("hi").dump_component()
    assert dumped.component_type == "model"
    assert ChatCompletionClient.load_component(dumped).greeting == "hi"


def test_what_is_no_client_is_not_loaded_as_one():
    with pytest.raises(ComponentTypeError, match="not a ChatCompletionClient"):
        ChatCompletionClient.load_component({"provider": "ferrogen.InMemoryStore", "config": {}})


def test_load_component_can_be_replaced_while_a_test_runs():
    with mock.patch("ferrogen.models.ChatCompletionClient.load_component") as load:
        assert ChatCompletionClient.load_component({}) is load.return_value
    assert "load_component" not in vars(ChatCompletionClient)
