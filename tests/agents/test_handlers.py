"""Handlers: what the three decorators make of a method, and when they refuse."""

import importlib.util
import logging
from pathlib import Path
from typing import Any

import pytest

from ferrogen.agents.handlers import MessageHandler, event, message_handler, rpc
from ferrogen.exceptions import CantHandleException


@pytest.fixture(scope="module")
def local_types():
    spec = importlib.util.spec_from_file_location(
        "local_types", Path(__file__).with_name("local_types.py")
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("decorate", [message_handler, rpc])
def test_a_handler_has_its_message_and_response_types(decorate):
    @decorate
    async def handler(self, order: int | str, ctx: object) -> str | None:
        """Take an order."""

    assert isinstance(handler, MessageHandler)
    assert handler.target_types == [int, str]
    assert handler.produces_types == [str, type(None)]
    assert handler.is_message_handler is True
    assert handler.__doc__ == "Take an order."


def test_routers_distinguish_events_and_rpcs(rpc_context, event_context):
    async def handler(self, message: int, ctx: object) -> None:
        pass

    wanted = {
        decorate: (
            decorate(handler).router(1, rpc_context),
            decorate(handler).router(1, event_context),
        )
        for decorate in (message_handler, rpc, event)
    }
    assert wanted == {message_handler: (True, True), rpc: (True, False), event: (False, True)}


@pytest.mark.parametrize("decorate", [message_handler, rpc, event])
def test_a_match_function_has_the_last_word(decorate, rpc_context, event_context):
    @decorate(match=lambda message, ctx: message == 1)
    async def handler(self, message: int, ctx: object) -> None:
        pass

    ctx = event_context if decorate is event else rpc_context
    assert handler.router(1, ctx)
    assert not handler.router(2, ctx)


@pytest.mark.parametrize("decorate", [message_handler, rpc, event])
async def test_a_message_of_another_type_is_refused(decorate, rpc_context):
    @decorate
    async def handler(self, message: int, ctx: object) -> None:
        raise AssertionError("must not be called")

    with pytest.raises(CantHandleException, match="not a message of <class 'bool'>"):
        await handler(None, True, rpc_context)


@pytest.mark.parametrize("decorate", [message_handler, rpc])
async def test_a_response_of_another_type_is_an_error(decorate, rpc_context):
    @decorate
    async def handler(self, message: int, ctx: object) -> str:
        return message

    with pytest.raises(ValueError, match="Return type <class 'int'> not in return types"):
        await handler(None, 1, rpc_context)


@pytest.mark.parametrize("response", [Any, Any | None])
async def test_any_allows_every_response(response, rpc_context):
    async def method(self, message: int, ctx: object) -> response:
        return [message]

    assert await message_handler(method)(None, 1, rpc_context) == [1]


async def test_an_event_handler_that_returns_a_response_is_an_error(event_context):
    @event
    async def handler(self, message: int, ctx: object) -> int:
        return message

    with pytest.raises(ValueError, match="Return type <class 'int'> is not None"):
        await handler(None, 1, event_context)


@pytest.mark.parametrize(("decorate", "response"), [(message_handler, 1), (rpc, 1), (event, None)])
async def test_without_strict_wrong_types_are_only_logged(decorate, response, rpc_context, caplog):
    @decorate(strict=False)
    async def handler(self, message: str, ctx: object) -> None:
        return message

    with caplog.at_level(logging.WARNING, "autogen_core"):
        assert await handler(None, 1, rpc_context) == response
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]


@pytest.mark.parametrize("decorate", [message_handler, rpc, event])
def test_a_wrong_handler_fails_while_its_class_is_defined(decorate):
    with pytest.raises(TypeError, match=r'handler ".*Clerk\.on_order" must take exactly three'):

        class Clerk:
            @decorate
            async def on_order(self, order: int) -> None:
                pass


def test_what_is_no_method_is_refused():
    with pytest.raises(ValueError, match="Invalid arguments"):
        message_handler("on_order")


def test_text_annotations_may_name_classes_around_the_handler(local_types):
    agent_class, types = local_types.make_agent_class()
    assert agent_class.on_any.target_types == types
    assert agent_class.on_any.produces_types == [types[-1], type(None)]


def test_names_of_callers_that_do_not_enclose_the_handler_are_not_taken(local_types):
    with pytest.raises(TypeError, match="'Stranger' is not defined"):
        local_types.define_with_a_caller_local_name()
