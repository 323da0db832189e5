"""Typed requests: the response has the type that was asked for, or the call raises."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NewType, Optional, Protocol, TypedDict

import pytest

from ferrogen import AgentId, MessageContext, RoutedAgent, SingleThreadedAgentRuntime, rpc
from ferrogen.exceptions import (
    DeadlineExceededError,
    FerrogenError,
    RecipientNotFoundError,
    ResponseTypeError,
)

from ..function_agents import Doing, boom, register
from .messages import Question, Reply

Runtime = SingleThreadedAgentRuntime
Count = NewType("Count", int)


class Shape(TypedDict):
    sides: int


class Closable(Protocol):
    def close(self) -> None: ...


class Responder(RoutedAgent):
    @rpc
    async def respond(self, message: Question, ctx: MessageContext) -> Reply:
        return Reply(message.text.upper())


@pytest.mark.parametrize(
    ("response", "response_type"),
    [
        (Reply("x"), Reply),
        (Reply("x"), object),
        (Reply("x"), Any),
        (None, None),
        (None, type(None)),
        (None, Optional[Reply]),  # noqa: UP045 - the other spelling of a union
        (Reply("x"), Reply | None),
        (1, int | str),
        ("one", int | str),
        ([1], list[int]),
        (["of any element"], list[int]),
        ((1,), Sequence[int]),
        ({"a": 1}, dict[str, int] | None),
        (1, Annotated[int, "documented"]),
        (1, Count),
        ("on", Literal["on", "off"]),
        (True, int),
    ],
    ids=str,
)
async def test_a_response_of_the_type_is_returned(
    runtime: Runtime, response: Any, response_type: Any
) -> None:
    async def respond(agent: Doing, message: Any, ctx: MessageContext) -> Any:
        return response

    a = await register(runtime, "a", respond)
    assert await runtime.ask(a(), Question("?"), response_type) is response


@pytest.mark.parametrize(
    ("response", "response_type", "expected", "actual"),
    [
        (Question("x"), Reply, "Reply", "Question"),
        (None, Reply, "Reply", "None"),
        ("x", None, "None", "str"),
        (1.5, int | str, "int | str", "float"),
        ((1,), list[int], "list[int]", "tuple"),
        ("offline", Literal["on", "off"], "Literal['on', 'off']", "str"),
        (1, Literal[True], "Literal[True]", "int"),
    ],
    ids=str,
)
async def test_another_response_is_an_error_that_names_everything(
    runtime: Runtime, response: Any, response_type: Any, expected: str, actual: str
) -> None:
    async def respond(agent: Doing, message: Any, ctx: MessageContext) -> Any:
        return response

    a = await register(runtime, "a", respond)
    with pytest.raises(ResponseTypeError) as caught:
        await runtime.ask(a("one"), Question("?"), response_type)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, FerrogenError)
    text = str(caught.value)
    assert f"agent a/one responded to Question with {actual}, expected " in text
    assert expected in text


@pytest.mark.parametrize("response_type", ["Reply", Shape, Closable, 5], ids=str)
async def test_a_type_that_cannot_be_checked_is_refused_before_sending(
    runtime: Runtime, response_type: Any
) -> None:
    received: list[Any] = []

    async def note(agent: Doing, message: Any, ctx: MessageContext) -> None:
        received.append(message)

    a = await register(runtime, "a", note)
    with pytest.raises(TypeError, match="cannot be checked against"):
        await runtime.ask(a(), Question("?"), response_type)
    assert received == []


async def test_options_of_sending_are_passed_on(runtime: Runtime) -> None:
    async def respond(agent: Doing, message: Any, ctx: MessageContext) -> tuple[Any, str]:
        return ctx.sender, ctx.message_id

    a = await register(runtime, "a", respond)
    sender = AgentId("b", "one")
    asked = runtime.ask(a(), Question("?"), tuple, sender=sender, message_id="7")
    assert await asked == (sender, "7")


async def test_a_request_has_a_deadline(runtime: Runtime) -> None:
    async def wait(agent: Doing, message: Any, ctx: MessageContext) -> None:
        await asyncio.sleep(3600)

    a = await register(runtime, "a", wait)
    with pytest.raises(DeadlineExceededError):
        await runtime.ask(a(), Question("?"), Reply, timeout=5)
    assert asyncio.get_running_loop().time() == 5


async def test_errors_of_sending_are_raised_as_they_are(runtime: Runtime) -> None:
    a = await register(runtime, "a", boom)
    with pytest.raises(KeyError, match="text='why'"):
        await runtime.ask(a(), Question("why"), Reply)
    with pytest.raises(RecipientNotFoundError):
        await runtime.ask(AgentId("unknown", "x"), Question("?"), Reply)


async def test_an_agent_asks_as_itself(runtime: Runtime) -> None:
    async def who(agent: Doing, message: Any, ctx: MessageContext) -> Any:
        return ctx.sender

    async def ask(agent: Doing, message: Any, ctx: MessageContext) -> Any:
        return await agent.ask(AgentId("who", "x"), message, AgentId)

    await register(runtime, "who", who)
    a = await register(runtime, "asks", ask)
    assert await runtime.send_message(Question("?"), a("me")) == AgentId("asks", "me")


async def test_a_handler_of_a_routed_agent_responds(runtime: Runtime) -> None:
    await Responder.register(runtime, "responder", lambda: Responder("responds"))
    reply = await runtime.ask(AgentId("responder", "one"), Question("why"), Reply)
    assert reply.text == "WHY"
