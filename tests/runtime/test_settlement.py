"""Settlement: every message ends once, its waiter is told, and idleness is noticed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ferrogen import AgentId, CancellationToken, TopicId
from ferrogen._core import Dispatcher, Outcome
from ferrogen._runtime.dead_letters import DeadLetters
from ferrogen._runtime.envelope import AnswerEnvelope, DirectEnvelope, PublishEnvelope
from ferrogen._runtime.settlement import Settlement
from ferrogen.exceptions import RuntimeStoppedError

WRITER = AgentId("writer", "1")


class Books:
    """A settlement over real books."""

    def __init__(self) -> None:
        self.dispatcher: Dispatcher[Any] = Dispatcher()
        self.letters = DeadLetters()
        self.settlement = Settlement(self.dispatcher, self.letters)

    def direct(self) -> tuple[int, DirectEnvelope]:
        envelope = DirectEnvelope(
            message="hello",
            recipient=WRITER,
            sender=None,
            cancellation_token=CancellationToken(),
            message_id="m1",
            answer=asyncio.get_running_loop().create_future(),
        )
        return self.dispatcher.accept(envelope), envelope

    def ended(self) -> str:
        (ended,) = [k for k, count in self.dispatcher.tally().items() if count and k != "accepted"]
        return ended


@pytest.fixture
async def books() -> Books:
    return Books()


def answer_to(envelope: DirectEnvelope, message: Any) -> AnswerEnvelope:
    return AnswerEnvelope(message=message, sender=WRITER, recipient=None, answer=envelope.answer)


async def test_an_answer_reaches_its_asker(books: Books) -> None:
    ticket, envelope = books.direct()
    books.settlement.answered(ticket, answer_to(envelope, "yes"))
    assert await envelope.answer == "yes"
    assert books.ended() == "answered"


async def test_an_asker_that_gave_up_settles_the_message_all_the_same(books: Books) -> None:
    """A4."""
    ticket, envelope = books.direct()
    envelope.answer.cancel()
    books.settlement.answered(ticket, answer_to(envelope, "too late"))
    assert books.dispatcher.idle
    assert envelope.answer.cancelled()


@pytest.mark.parametrize("way", ["failed", "dropped", "undeliverable"])
async def test_the_asker_gets_the_very_error(books: Books, way: str) -> None:
    ticket, envelope = books.direct()
    error = RuntimeStoppedError("over")
    getattr(books.settlement, way)(ticket, envelope, error)
    with pytest.raises(RuntimeStoppedError) as caught:
        await envelope.answer
    assert caught.value is error
    assert books.ended() == {"undeliverable": "dead_lettered"}.get(way, way)
    assert len(books.letters) == (way == "undeliverable")


async def test_a_cancellation_cancels_the_asker(books: Books) -> None:
    ticket, envelope = books.direct()
    books.settlement.failed(ticket, envelope, asyncio.CancelledError("why"))
    with pytest.raises(asyncio.CancelledError):
        await envelope.answer


async def test_a_published_message_has_nobody_to_tell(books: Books) -> None:
    envelope = PublishEnvelope("hello", TopicId("a", "b"), WRITER, message_id="m1")
    books.settlement.undeliverable(
        books.dispatcher.accept(envelope), envelope, RuntimeStoppedError("over")
    )
    (letter,) = books.letters
    assert (letter.sender, letter.receiver) == (WRITER, TopicId("a", "b"))


async def test_an_answer_on_its_way_is_given_rather_than_lost(books: Books) -> None:
    ticket, envelope = books.direct()
    books.settlement.undeliverable(ticket, answer_to(envelope, "yes"), RuntimeStoppedError("over"))
    assert await envelope.answer == "yes"
    assert len(books.letters) == 0


async def test_all_who_wait_for_idleness_wake_when_the_last_message_ends(books: Books) -> None:
    first, second = (books.direct()[0] for _ in range(2))
    waiting = [asyncio.ensure_future(books.settlement.idle()) for _ in range(2)]
    await asyncio.sleep(0)
    books.settlement.end(first, Outcome.HANDLED)
    await asyncio.sleep(0)
    assert not any(one.done() for one in waiting)
    books.settlement.end(second, Outcome.HANDLED)
    await asyncio.gather(*waiting)


async def test_one_who_gives_up_waiting_for_idleness_is_forgotten(books: Books) -> None:
    ticket, _ = books.direct()
    waiting = asyncio.ensure_future(books.settlement.idle())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert books.settlement._idle_waiters == set()
    books.settlement.end(ticket, Outcome.HANDLED)
    await books.settlement.idle()


async def test_work_that_comes_before_the_waiter_wakes_is_waited_for_too(books: Books) -> None:
    ticket, _ = books.direct()
    waiting = asyncio.ensure_future(books.settlement.idle())
    await asyncio.sleep(0)
    books.settlement.end(ticket, Outcome.HANDLED)
    ticket, _ = books.direct()
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    books.settlement.end(ticket, Outcome.HANDLED)
    await waiting
