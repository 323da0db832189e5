"""Transient failures are retried, up to a limit."""

import asyncio
import logging

import pytest

from ferrogen import CancellationToken
from ferrogen.exceptions import (
    AllClientsFailedError,
    ClientSetupError,
    ModelConnectionError,
    ModelRateLimitError,
    ModelStatusError,
    ModelTimeoutError,
)
from ferrogen.models import ChatCompletionClient
from ferrogen.models.middleware import Retrying
from ferrogen.models.scripted import ScriptedClient

from .fakes import QUESTION, ManualClock, settled, text_and_result

DOWN = ModelStatusError("down", status=503)


def patient(lines, **options):
    clock = ManualClock(runs=True)
    inner = ScriptedClient(lines)
    return Retrying(inner, clock=clock, random=lambda: 1.0, **options), inner, clock


@pytest.mark.parametrize(
    "error",
    [
        ModelRateLimitError("slow down"),
        DOWN,
        ModelTimeoutError("late"),
        ModelConnectionError("gone"),
        TimeoutError(),
        asyncio.TimeoutError(),
        ConnectionResetError(),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_what_may_pass_is_tried_again(error):
    client, inner, _ = patient([error, "left"])
    assert (await client.create(QUESTION)).content == "left"
    assert len(inner.requests) == 2


@pytest.mark.parametrize(
    "error",
    [ModelStatusError("who are you", status=401), ModelStatusError("what", status=400), KeyError()],
    ids=str,
)
async def test_what_will_not_pass_is_raised_as_it_is(error):
    client, inner, clock = patient([error, "left"])
    with pytest.raises(type(error)) as caught:
        await client.create(QUESTION)
    assert caught.value is error
    assert (len(inner.requests), clock.waits) == (1, [])


async def test_waits_double_up_to_the_longest_and_chance_only_shortens_them():
    client, _, clock = patient([DOWN] * 5 + ["left"], attempts=6, first_delay=1, longest_delay=5)
    await client.create(QUESTION)
    assert clock.waits == [1, 2, 4, 5, 5]
    client, _, clock = patient([DOWN] * 2 + ["left"], first_delay=1)
    client._random = iter([0.0, 0.5]).__next__
    await client.create(QUESTION)
    assert clock.waits == [0, 1]


async def test_after_the_last_attempt_the_error_is_raised():
    client, inner, clock = patient([DOWN] * 3, attempts=3)
    with pytest.raises(ModelStatusError, match="down"):
        await client.create(QUESTION)
    assert (len(inner.requests), len(clock.waits)) == (3, 2)


async def test_a_retry_waits_for_retry_after():
    busy = ModelRateLimitError("slow down", retry_after=7.0)
    client, _, clock = patient([busy, "left"], first_delay=0.5, longest_delay=1)
    await client.create(QUESTION)
    assert clock.waits == [7.5]


async def test_no_attempt_begins_after_the_total_time():
    busy = ModelRateLimitError("slow down", retry_after=7.0)
    client, inner, clock = patient([busy] * 9, attempts=9, first_delay=1, total_seconds=20)
    with pytest.raises(ModelRateLimitError):
        await client.create(QUESTION)
    assert (len(inner.requests), clock.waits) == (3, [8, 8])


async def test_a_stream_that_failed_before_its_first_piece_is_retried():
    client, inner, _ = patient([DOWN, ["le", "ft"]])
    text, result = await text_and_result(client.create_stream(QUESTION))
    assert (text, result.content, len(inner.requests)) == ("left", "left", 2)


async def test_a_stream_that_failed_after_its_first_piece_is_not_retried():
    client, inner, _ = patient([["le", DOWN], "right"])
    stream = client.create_stream(QUESTION)
    assert await anext(stream) == "le"
    with pytest.raises(ModelStatusError):
        await anext(stream)
    assert len(inner.requests) == 1


async def test_a_response_truncated_before_its_first_piece_is_retried():
    client, _, _ = patient([["le", DOWN], "right"])
    assert (await client.create(QUESTION)).content == "right"


async def test_cancelling_ends_the_wait():
    clock, token = ManualClock(), CancellationToken()
    client = Retrying(ScriptedClient([DOWN, "left"]), clock=clock)
    asking = asyncio.ensure_future(client.create(QUESTION, cancellation_token=token))
    await settled()
    assert len(clock.waits) == 1
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def test_each_retry_is_logged_without_the_words_of_the_error(caplog):
    client, _, _ = patient([ModelStatusError("bad key sk-123", status=503), "left"])
    with caplog.at_level(logging.WARNING, "autogen_core.models"):
        await client.create(QUESTION)
    assert caplog.messages == [
        "attempt 1 of 5 failed (server: ModelStatusError); asking again in 0.50 s"
    ]


async def test_the_failure_of_several_clients_is_tried_again_as_soon_as_one_said():
    together = AllClientsFailedError(
        "all failed",
        errors=[
            ModelStatusError("no", status=401),
            ModelRateLimitError("slow down", retry_after=9.0),
            ModelStatusError("down", status=503, retry_after=3.0),
        ],
    )
    client, _, clock = patient([together, "left"], first_delay=1)
    await client.create(QUESTION)
    assert clock.waits == [4.0]


async def test_which_failures_may_pass_can_be_chosen():
    client, inner, _ = patient([DOWN, "left"], on=["rate_limit"])
    with pytest.raises(ModelStatusError):
        await client.create(QUESTION)
    assert len(inner.requests) == 1


@pytest.mark.parametrize(
    "options",
    [{"attempts": 0}, {"first_delay": 0}, {"longest_delay": -1}, {"total_seconds": 0}],
)
def test_a_number_out_of_range_is_refused(options):
    with pytest.raises(ClientSetupError, match=next(iter(options))):
        Retrying(ScriptedClient([]), **options)


def test_it_is_loaded_as_it_was_dumped():
    client = Retrying(ScriptedClient(["left"]), attempts=2, total_seconds=9, on=["server"])
    dumped = client.dump_component()
    loaded = ChatCompletionClient.load_component(dumped)
    assert dumped.provider == "ferrogen.models.middleware.Retrying"
    assert loaded.dump_component() == dumped
