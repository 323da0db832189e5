"""Native argument parsing: accepts and rejects what a Python method would."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest

from ferrogen import (
    AgentId,
    AgentType,
    BaseAgent,
    CancellationToken,
    MessageContext,
    SingleThreadedAgentRuntime,
    TopicId,
)

TO = AgentId("looks", "1")
HERE = TopicId("topic", "here")


class Looks(BaseAgent):
    """Returns the context of the message."""

    async def on_message_impl(self, message: Any, ctx: MessageContext) -> Any:
        return message, ctx.sender, ctx.cancellation_token, ctx.message_id


def apart(name: str) -> str:
    """Return an equal name that lies elsewhere, as one that was read from a file would."""
    return "".join(list(name))


@pytest.fixture
async def runtime() -> Any:
    runtime = SingleThreadedAgentRuntime()
    await Looks("looks").register_instance(runtime, TO)
    runtime.start()
    yield runtime
    await runtime.stop_when_idle()


TOKEN = CancellationToken()


@pytest.mark.parametrize(
    ("by_place", "by_name"),
    [
        (("x", TO), {}),
        (("x",), {"recipient": TO}),
        ((), {"recipient": TO, "message": "x"}),
        ((), {"message": "x", "recipient": TO, "sender": None}),
    ],
)
async def test_arguments_may_come_by_place_and_by_name(
    runtime: SingleThreadedAgentRuntime, by_place: Any, by_name: Any
) -> None:
    response = await runtime.send_message(*by_place, **by_name)
    assert response[:2] == ("x", None)
    response = await runtime.send_message(
        *by_place, **{apart(one): by_name[one] for one in by_name}
    )
    assert response[:2] == ("x", None)
    more = {"cancellation_token": TOKEN, "message_id": "named", "sender": AgentId("s", "1")}
    response = await runtime.send_message(*by_place, **{**by_name, **more})
    assert response == ("x", AgentId("s", "1"), TOKEN, "named")


@pytest.mark.parametrize(
    ("by_place", "by_name", "complaint"),
    [
        ((), {}, "missing 2 required positional arguments"),
        (("x",), {}, "missing 1 required positional argument: 'recipient'"),
        (("x", TO, None), {}, "takes 2 positional arguments but 3 were given"),
        (("x", TO), {"message": "y"}, "got multiple values for argument 'message'"),
        (("x", TO), {"to": TO}, "got an unexpected keyword argument 'to'"),
        (("x", TO), {"recipient": TO}, "got multiple values for argument 'recipient'"),
    ],
)
async def test_unexpected_arguments_are_rejected(
    runtime: SingleThreadedAgentRuntime, by_place: Any, by_name: Any, complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        runtime.send_message(*by_place, **by_name)
    assert await runtime.send_message("x", TO)


async def test_publishing_calls_its_address_a_topic(runtime: SingleThreadedAgentRuntime) -> None:
    await runtime.publish_message("x", HERE)
    await runtime.publish_message(message="x", topic_id=HERE, sender=TO, message_id="named")
    with pytest.raises(TypeError, match="unexpected keyword argument 'recipient'"):
        runtime.publish_message("x", recipient=TO)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'topic_id'"):
        runtime.publish_message("x")  # type: ignore[call-arg]


def test_an_id_is_made_by_place_and_by_name() -> None:
    made = [
        AgentId("a", "1"),
        AgentId("a", key="1"),
        AgentId(key="1", type="a"),
        AgentId(**{apart("type"): "a", apart("key"): "1"}),
        AgentId(AgentType("a"), "1"),
        AgentId(type=apart("a"), key=apart("1")),
    ]
    assert set(made) == {AgentId("a", "1")}


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (AgentId, TypeError),
        (lambda: AgentId("a"), TypeError),
        (lambda: AgentId("a", 1), TypeError),
        (lambda: AgentId(1, "a"), TypeError),
        (lambda: AgentId("a", "1", "2"), TypeError),
        (lambda: AgentId("a", "1", key="1"), TypeError),
        (lambda: AgentId("a", "1", name="1"), TypeError),
        (lambda: AgentId("", "1"), ValueError),
        (lambda: AgentId("a b", "1"), ValueError),
        (lambda: AgentId("a\n", "1"), ValueError),
        (lambda: AgentId("a", "\ud800"), ValueError),
        (lambda: AgentId("\ud800", "1"), ValueError),
    ],
)
def test_an_id_that_cannot_be_is_refused(
    make: Callable[[], AgentId], error: type[Exception]
) -> None:
    with pytest.raises(error):
        make()
    assert AgentId("a", "1").key == "1"


def test_letters_beyond_ascii_may_be_in_an_id() -> None:
    made = AgentId("schrïft", "schlüssel")
    assert (made.type, made.key) == ("schrïft", "schlüssel")


def test_strings_with_more_to_them_become_plain_ones() -> None:
    class Shouts(str):
        def __hash__(self) -> int:
            return 1

    made = AgentId(Shouts("a"), Shouts("1"))
    assert type(made.type) is type(made.key) is str
    assert hash(made) == hash(AgentId("a", "1"))


def test_a_class_whose_constructor_is_replaced_is_called_by_the_new_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[object] = []
    monkeypatch.setattr(AgentId, "__init__", lambda self, *args, **kwargs: seen.append(args))
    assert AgentId("a", "1").type == "a"
    assert seen == [("a", "1")]
    monkeypatch.undo()
    assert AgentId("a", "1").type == "a"
    assert len(seen) == 1


def test_subclasses_have_constructors_of_their_own() -> None:
    class Keyed(AgentId):
        def __new__(cls, key: str) -> Keyed:
            return super().__new__(cls, "fixed", key)

        def __init__(self, key: str) -> None:
            super().__init__("fixed", key)

    assert str(Keyed("1")) == "fixed/1"
    assert isinstance(Keyed(key="1"), AgentId)


def test_the_methods_keep_their_signatures() -> None:
    send = SingleThreadedAgentRuntime().send_message
    assert list(inspect.signature(send).parameters)[:2] == ["message", "recipient"]
    assert list(inspect.signature(AgentId).parameters) == ["type", "key"]
