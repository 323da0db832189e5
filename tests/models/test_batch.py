"""Many requests are under way a few at a time; each has an outcome of its own."""

import asyncio
from contextlib import aclosing

import pytest
from pydantic import BaseModel

from ferrogen import CancellationToken
from ferrogen.exceptions import ClientSetupError
from ferrogen.models import UserMessage
from ferrogen.models.batch import Outcome, Progress, create_as_completed, create_many
from ferrogen.models.scripted import ScriptedClient


def questions(count):
    return [[UserMessage(content=f"question {number}", source="me")] for number in range(count)]


async def settled():
    for _ in range(20):
        await asyncio.sleep(0)


class ManualClient(ScriptedClient):
    """A client that keeps every request until the test responds."""

    def __init__(self):
        super().__init__([])
        self.open = {}
        self.most = 0
        self.options = []

    async def create(self, messages, **options):
        self.options.append(options)
        number = int(messages[-1].content.split()[-1])
        self.open[number] = asyncio.get_running_loop().create_future()
        self.most = max(self.most, len(self.open))
        if (token := options["cancellation_token"]) is not None:
            token.link_future(self.open[number])
        try:
            return await self.open[number]
        finally:
            del self.open[number]

    async def respond(self, number, what="fine"):
        self.open[number].set_result(what)
        await settled()


async def test_outcomes_are_in_the_order_of_the_requests_whatever_came_first():
    client = ManualClient()
    batch = asyncio.ensure_future(create_many(client, questions(3)))
    await settled()
    for number in (2, 0, 1):
        await client.respond(number, f"answer {number}")
    assert await batch == [Outcome(number, result=f"answer {number}") for number in range(3)]


async def test_no_more_requests_are_under_way_than_allowed_and_places_are_filled_at_once():
    client = ManualClient()
    batch = asyncio.ensure_future(create_many(client, questions(5), concurrency=2))
    await settled()
    assert set(client.open) == {0, 1}
    await client.respond(1)
    assert set(client.open) == {0, 2}
    for number in (0, 2, 3, 4):
        await client.respond(number)
    assert len(await batch) == 5
    assert client.most == 2


async def test_a_failure_leaves_the_others_alone():
    client = ScriptedClient(["one", TimeoutError("late"), "three"])
    first, second, third = await create_many(client, questions(3), concurrency=1)
    assert (first.unwrap().content, third.unwrap().content) == ("one", "three")
    assert (second.result, str(second.error)) == (None, "late")
    with pytest.raises(TimeoutError, match="late"):
        second.unwrap()


async def test_progress_is_reported_after_every_outcome():
    seen = []
    client = ScriptedClient(["one", TimeoutError(), "three"])
    await create_many(client, questions(3), concurrency=1, on_progress=seen.append)
    assert seen == [Progress(1, 0, 3), Progress(2, 1, 3), Progress(3, 1, 3)]


async def test_a_generator_is_advanced_only_up_to_the_concurrency():
    taken = []

    def endless():
        for question in questions(100):
            taken.append(question)
            yield question

    client = ManualClient()
    seen = []
    batch = asyncio.ensure_future(
        create_many(client, endless(), concurrency=3, on_progress=seen.append)
    )
    await settled()
    assert len(taken) == 3
    await client.respond(0)
    assert (len(taken), seen) == (4, [Progress(1, 0, None)])
    batch.cancel()
    await asyncio.wait([batch])


async def test_every_request_has_the_options():
    class Place(BaseModel):
        name: str

    client = ManualClient()
    options = {
        "tools": [{"name": "map"}],
        "tool_choice": "required",
        "json_output": Place,
        "extra_create_args": {"seed": 1},
        "cancellation_token": CancellationToken(),
    }
    batch = asyncio.ensure_future(create_many(client, questions(2), **options))
    await settled()
    await client.respond(0)
    await client.respond(1)
    await batch
    assert client.options == [options] * 2


@pytest.mark.parametrize("by_token", [True, False])
async def test_cancelling_ends_what_is_under_way_and_begins_nothing_more(by_token):
    client, token = ManualClient(), CancellationToken()
    batch = asyncio.ensure_future(
        create_many(client, questions(9), concurrency=2, cancellation_token=token)
    )
    await settled()
    if by_token:
        token.cancel()
    else:
        batch.cancel()
    with pytest.raises(asyncio.CancelledError):
        await batch
    assert (client.open, len(client.options)) == ({}, 2)


async def test_cancelling_ends_the_batch_also_if_the_client_takes_no_notice():
    class Deaf(ScriptedClient):
        async def create(self, messages, **options):
            options["cancellation_token"].cancel()
            return await super().create(messages)

    client = Deaf(["one", "two"])
    with pytest.raises(asyncio.CancelledError):
        await create_many(
            client, questions(2), concurrency=1, cancellation_token=CancellationToken()
        )
    assert len(client.requests) == 1


async def test_an_error_of_the_callback_ends_everything():
    client = ManualClient()

    def fail(progress):
        raise ZeroDivisionError

    batch = asyncio.ensure_future(create_many(client, questions(3), on_progress=fail))
    await settled()
    await client.respond(1)
    with pytest.raises(ZeroDivisionError):
        await batch
    assert client.open == {}


async def test_outcomes_can_be_had_as_they_come_and_left_early():
    client = ManualClient()
    completed = create_as_completed(client, questions(9), concurrency=3)
    async with aclosing(completed):
        coming = asyncio.ensure_future(anext(completed))
        await settled()
        await client.respond(2)
        assert (await coming).index == 2
    assert client.open == {}


async def test_an_empty_batch_has_no_outcomes():
    assert await create_many(ManualClient(), []) == []


async def test_a_batch_needs_room_for_one_request():
    with pytest.raises(ClientSetupError, match="concurrency must be at least 1, not 0"):
        await create_many(ManualClient(), questions(1), concurrency=0)
