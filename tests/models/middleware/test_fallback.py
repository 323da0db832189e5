"""After a failure the next client gets the request, until the first piece is yielded."""

import logging

import pytest

from ferrogen.exceptions import (
    AllClientsFailedError,
    ClientSetupError,
    ModelConnectionError,
    ModelResponseError,
    ModelStatusError,
)
from ferrogen.models import ChatCompletionClient
from ferrogen.models.middleware import Fallback
from ferrogen.models.scripted import ScriptedClient

from .fakes import QUESTION, text_and_result

DOWN = ModelStatusError("down with key sk-1", status=503)
REFUSED = ModelStatusError("who are you", status=401)


@pytest.mark.parametrize(
    "error", [DOWN, ModelConnectionError("gone"), ModelResponseError("no JSON"), TimeoutError()]
)
async def test_the_next_client_is_called(error, caplog):
    first, second = ScriptedClient([error]), ScriptedClient(["left"])
    with caplog.at_level(logging.WARNING, "autogen_core.models"):
        assert (await Fallback([first, second]).create(QUESTION)).content == "left"
    assert first.requests == second.requests == [QUESTION]
    assert caplog.messages[0].startswith("client 1 of 2 failed (")
    assert "sk-1" not in caplog.text


async def test_each_request_begins_with_the_first_client():
    first, second = ScriptedClient([DOWN, "right"]), ScriptedClient(["left"])
    client = Fallback([first, second])
    assert [(await client.create(QUESTION)).content for _ in range(2)] == ["left", "right"]


async def test_a_refusal_is_raised_as_it_is_unless_it_was_named():
    second = ScriptedClient(["left"])
    with pytest.raises(ModelStatusError) as caught:
        await Fallback([ScriptedClient([REFUSED]), second]).create(QUESTION)
    assert caught.value is REFUSED
    assert second.requests == []
    client = Fallback([ScriptedClient([REFUSED]), second], on=["refused"])
    assert (await client.create(QUESTION)).content == "left"


async def test_a_stream_that_failed_before_its_first_piece_comes_from_the_next_client():
    client = Fallback([ScriptedClient([DOWN]), ScriptedClient([["le", "ft"]])])
    assert (await text_and_result(client.create_stream(QUESTION)))[0] == "left"


async def test_a_stream_that_failed_after_its_first_piece_is_not_begun_anew():
    second = ScriptedClient(["left"])
    stream = Fallback([ScriptedClient([["ri", DOWN]]), second]).create_stream(QUESTION)
    assert await anext(stream) == "ri"
    with pytest.raises(ModelStatusError):
        await anext(stream)
    assert second.requests == []


async def test_all_failures_are_reported_together():
    gone = ModelConnectionError("gone")
    with pytest.raises(AllClientsFailedError) as caught:
        await Fallback([ScriptedClient([DOWN]), ScriptedClient([gone])]).create(QUESTION)
    assert caught.value.errors == (DOWN, gone)
    assert caught.value.__cause__ is gone
    assert str(caught.value) == (
        "all 2 clients failed: ModelStatusError: down with key sk-1; ModelConnectionError: gone"
    )


async def test_a_fallback_within_a_fallback_is_passed_over_too():
    inner = Fallback([ScriptedClient([DOWN]), ScriptedClient([DOWN])])
    assert (await Fallback([inner, ScriptedClient(["left"])]).create(QUESTION)).content == "left"


async def test_usage_is_that_of_all_clients():
    client = Fallback([ScriptedClient(["right", DOWN]), ScriptedClient(["left now"])])
    for _ in range(2):
        await client.create(QUESTION)
    for usage in (client.actual_usage(), client.total_usage()):
        assert (usage.prompt_tokens, usage.completion_tokens) == (8, 3)


def test_it_claims_what_holds_for_all():
    blind = {**ScriptedClient([]).model_info, "vision": False, "family": "blind"}
    client = Fallback([ScriptedClient([], context_length=9), ScriptedClient([], model_info=blind)])
    assert client.model_info == {**blind, "family": "unknown"} == client.capabilities
    assert client.remaining_tokens(QUESTION) == 9 - client.count_tokens(QUESTION)


class Stubborn(ScriptedClient):
    closed = False

    async def close(self):
        self.closed = True
        raise OSError("stuck")


async def test_all_clients_are_closed_also_if_some_fail_to():
    clients = [Stubborn([]), Stubborn([])]
    with pytest.raises(OSError, match="stuck"):
        await Fallback(clients).close()
    assert [client.closed for client in clients] == [True, True]


def test_no_clients_are_refused():
    with pytest.raises(ClientSetupError, match="at least one client"):
        Fallback([])


def test_it_is_loaded_as_it_was_dumped():
    dumped = Fallback(
        [ScriptedClient(["left"]), ScriptedClient(["right"])], on=["server", "refused"]
    ).dump_component()
    assert ChatCompletionClient.load_component(dumped).dump_component() == dumped
