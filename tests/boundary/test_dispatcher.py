"""Dispatcher: the bookkeeping of a runtime as its driver sees it. L1, L2, A1, O1 and limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ferrogen import AgentId
from ferrogen._core import Delivery, Dispatcher, Outcome

WRITER, CRITIC = AgentId("writer", "1"), AgentId("critic", "1")
AGENT: Any = object()
Payloads = Dispatcher[str]


def with_agents(*agent_ids: AgentId) -> Payloads:
    dispatcher: Payloads = Dispatcher()
    for agent_id in agent_ids:
        dispatcher.enter(agent_id, AGENT)
    return dispatcher


def sent(dispatcher: Payloads, payload: str, *recipients: AgentId) -> int:
    """Accept a message and admit it at once; what is refused is ended."""
    ticket = dispatcher.accept(payload)
    taken = dispatcher.take()
    assert taken == (ticket, payload)
    for refused, _ in dispatcher.admit(*taken, list(recipients)):
        dispatcher.end(refused, Outcome.DEAD_LETTERED)
    return ticket


def due(dispatcher: Payloads) -> list[Any]:
    steps: list[Any] = []
    while (step := dispatcher.step()) is not None:
        steps.append((step.agent_id, step.payload) if isinstance(step, Delivery) else step)
    return steps


SETTLING: dict[str, Callable[[Payloads, int], Any]] = {
    "finish": lambda dispatcher, ticket: dispatcher.finish(WRITER, ticket, Outcome.HANDLED),
    "answer": lambda dispatcher, ticket: dispatcher.answer(WRITER, ticket, "answer"),
    "release": lambda dispatcher, ticket: dispatcher.release(WRITER, ticket),
    "end": lambda dispatcher, ticket: dispatcher.end(ticket, Outcome.HANDLED),
    "admit": lambda dispatcher, ticket: dispatcher.admit(ticket, "again", [WRITER]),
}


@pytest.mark.parametrize("again", SETTLING.values(), ids=SETTLING)
def test_a_settled_ticket_cannot_be_settled_again(again: Callable[[Payloads, int], Any]) -> None:
    """L1."""
    dispatcher = with_agents(WRITER)
    ticket = sent(dispatcher, "hello", WRITER)
    due(dispatcher)
    dispatcher.finish(WRITER, ticket, Outcome.HANDLED)
    before = dispatcher.tally()
    with pytest.raises(RuntimeError, match="L1: the ticket is not open"):
        again(dispatcher, ticket)
    assert dispatcher.tally() == before
    assert dispatcher.idle
    assert dispatcher.waiting == 0


@pytest.mark.parametrize("ticket", [0, 1, 2**32, 2**64 - 1])
def test_a_ticket_that_was_never_given_out_is_not_open(ticket: int) -> None:
    with pytest.raises(RuntimeError, match="L1"):
        Dispatcher[str]().end(ticket, Outcome.HANDLED)


@pytest.mark.parametrize("ticket", [-1, 2**64, 10**40])
def test_a_number_that_no_ticket_can_have_is_an_overflow(ticket: int) -> None:
    with pytest.raises(OverflowError):
        Dispatcher[str]().end(ticket, Outcome.HANDLED)


@pytest.mark.parametrize(
    ("outcome", "counted"),
    [
        (Outcome.HANDLED, "handled"),
        (Outcome.ANSWERED, "answered"),
        (Outcome.DROPPED, "dropped"),
        (Outcome.FAILED, "failed"),
        (Outcome.DEAD_LETTERED, "dead_lettered"),
    ],
)
def test_each_outcome_is_counted_as_itself(outcome: Outcome, counted: str) -> None:
    dispatcher: Payloads = Dispatcher()
    dispatcher.end(dispatcher.accept("hello"), outcome)
    counts = dispatcher.tally()
    assert counts.pop("accepted") == 1
    assert {name for name, count in counts.items() if count} == {counted}


def test_a_message_without_recipients_is_handled() -> None:
    dispatcher: Payloads = Dispatcher()
    sent(dispatcher, "hello")
    assert dispatcher.idle
    assert dispatcher.tally()["handled"] == 1


def test_idle_comes_when_the_last_delivery_of_a_message_ends() -> None:
    """L2."""
    dispatcher = with_agents(WRITER, CRITIC)
    ticket = sent(dispatcher, "hello", WRITER, CRITIC)
    assert due(dispatcher) == [(WRITER, "hello"), (CRITIC, "hello")]
    dispatcher.finish(CRITIC, ticket, Outcome.FAILED)
    assert not dispatcher.idle
    assert dispatcher.open == 1
    dispatcher.finish(WRITER, ticket, Outcome.HANDLED)
    assert dispatcher.idle
    assert dispatcher.tally()["failed"] == 1


def test_a_message_stays_open_until_its_answer_has_gone_through_the_inbox() -> None:
    dispatcher = with_agents(WRITER)
    ticket = sent(dispatcher, "question", WRITER)
    due(dispatcher)
    dispatcher.answer(WRITER, ticket, "answer")
    assert (dispatcher.waiting, dispatcher.idle) == (1, False)
    assert dispatcher.take() == (ticket, "answer")
    dispatcher.end(ticket, Outcome.ANSWERED)
    assert dispatcher.idle


def test_an_agent_is_built_once_and_its_messages_wait_for_it() -> None:
    """A1."""
    dispatcher: Payloads = Dispatcher()
    for number in range(5):
        sent(dispatcher, f"{number}", WRITER)
    assert due(dispatcher) == [WRITER]
    assert dispatcher.instance(WRITER) is None
    assert dispatcher.instances() == []
    assert dispatcher.waiting == 5
    dispatcher.built(WRITER, AGENT)
    assert due(dispatcher) == [(WRITER, f"{number}") for number in range(5)]
    assert dispatcher.instances() == [(WRITER, AGENT)]


def test_an_agent_that_is_there_or_on_its_way_cannot_be_built_or_entered() -> None:
    """A1."""
    dispatcher = with_agents(WRITER)
    dispatcher.build(CRITIC)
    for agent_id in (WRITER, CRITIC):
        with pytest.raises(RuntimeError, match="an agent with this id already exists"):
            dispatcher.build(agent_id)
        with pytest.raises(RuntimeError, match="an agent with this id already exists"):
            dispatcher.enter(agent_id, AGENT)
    with pytest.raises(RuntimeError, match="A1"):
        dispatcher.built(WRITER, AGENT)
    with pytest.raises(RuntimeError, match="A1"):
        dispatcher.build_failed(WRITER)


def test_a_build_whose_step_was_not_taken_cannot_have_ended() -> None:
    dispatcher: Payloads = Dispatcher()
    sent(dispatcher, "hello", WRITER)
    with pytest.raises(RuntimeError, match="A1"):
        dispatcher.built(WRITER, AGENT)
    assert due(dispatcher) == [WRITER]


def test_a_failed_build_gives_its_messages_back_and_may_be_tried_again() -> None:
    dispatcher: Payloads = Dispatcher()
    tickets = [sent(dispatcher, text, WRITER) for text in ("a", "b")]
    due(dispatcher)
    assert dispatcher.build_failed(WRITER) == list(zip(tickets, ("a", "b"), strict=True))
    for ticket in tickets:
        dispatcher.end(ticket, Outcome.FAILED)
    assert dispatcher.idle
    sent(dispatcher, "c", WRITER)
    assert due(dispatcher) == [WRITER]


def test_messages_to_one_agent_start_in_the_order_of_sending() -> None:
    """O1, with every limit and across the building of the agent."""
    dispatcher: Payloads = Dispatcher()
    dispatcher.limit("writer", concurrency=2, capacity=None, drop_oldest=False)
    tickets = [sent(dispatcher, f"{number}", WRITER) for number in range(6)]
    assert due(dispatcher) == [WRITER]
    dispatcher.built(WRITER, AGENT)
    tickets += [sent(dispatcher, f"{number}", WRITER) for number in range(6, 10)]
    started: list[str] = []
    for ticket in tickets:
        started += [payload for _, payload in due(dispatcher)]
        dispatcher.finish(WRITER, ticket, Outcome.HANDLED)
    assert started == [f"{number}" for number in range(10)]
    assert dispatcher.idle


def test_no_more_handlers_run_than_the_concurrency_allows() -> None:
    dispatcher = with_agents(WRITER)
    dispatcher.limit("writer", concurrency=1, capacity=None, drop_oldest=False)
    first, second = (sent(dispatcher, text, WRITER) for text in "ab")
    assert due(dispatcher) == [(WRITER, "a")]
    dispatcher.release(WRITER, first)
    assert due(dispatcher) == [(WRITER, "b")]
    dispatcher.end(first, Outcome.ANSWERED)
    dispatcher.finish(WRITER, second, Outcome.HANDLED)
    assert dispatcher.idle


@pytest.mark.parametrize(("drop_oldest", "refused"), [(False, "c"), (True, "b")])
def test_a_full_mailbox_refuses_the_newest_or_the_oldest(drop_oldest: bool, refused: str) -> None:
    dispatcher = with_agents(WRITER)
    dispatcher.limit("writer", concurrency=1, capacity=1, drop_oldest=drop_oldest)
    sent(dispatcher, "a", WRITER)
    sent(dispatcher, "b", WRITER)
    ticket = dispatcher.accept("c")
    dispatcher.take()
    back = dispatcher.admit(ticket, "c", [WRITER])
    assert [payload for _, payload in back] == [refused]
    assert dispatcher.waiting == 1


def test_limits_must_be_whole_positive_numbers() -> None:
    limit: Any = Dispatcher[str]().limit
    for wrong in (0, -1, 1.5, "1", 2**64):
        with pytest.raises((TypeError, ValueError, OverflowError)):
            limit("writer", concurrency=wrong, capacity=None, drop_oldest=False)
        with pytest.raises((TypeError, ValueError, OverflowError)):
            limit("writer", concurrency=None, capacity=wrong, drop_oldest=False)


def test_only_an_idle_agent_is_passivated() -> None:
    dispatcher = with_agents(WRITER)
    ticket = sent(dispatcher, "hello", WRITER)
    assert dispatcher.passivate(WRITER) is None
    due(dispatcher)
    assert dispatcher.passivate(WRITER) is None
    dispatcher.finish(WRITER, ticket, Outcome.HANDLED)
    assert dispatcher.passivate(WRITER) is AGENT
    assert dispatcher.passivate(WRITER) is None
    assert dispatcher.instance(WRITER) is None


def test_draining_takes_what_no_handler_has_begun_and_leaves_it_open() -> None:
    dispatcher = with_agents(WRITER)
    dispatcher.limit("writer", concurrency=1, capacity=None, drop_oldest=False)
    running = sent(dispatcher, "running", WRITER)
    due(dispatcher)
    sent(dispatcher, "parked", WRITER)
    sent(dispatcher, "waits for a build", CRITIC)
    dispatcher.accept("in the inbox")
    rest = dispatcher.drain()
    assert {text for _, text in rest} == {"parked", "waits for a build", "in the inbox"}
    assert dispatcher.waiting == 0
    for ticket, _ in rest:
        dispatcher.end(ticket, Outcome.DEAD_LETTERED)
    assert not dispatcher.idle
    dispatcher.finish(WRITER, running, Outcome.HANDLED)
    assert dispatcher.idle


def test_a_report_about_an_agent_that_is_not_there_is_refused() -> None:
    dispatcher: Payloads = Dispatcher()
    ticket = dispatcher.accept("hello")
    for report in (
        lambda: dispatcher.finish(WRITER, ticket, Outcome.HANDLED),
        lambda: dispatcher.answer(WRITER, ticket, "answer"),
        lambda: dispatcher.built(WRITER, AGENT),
        lambda: dispatcher.build_failed(WRITER),
    ):
        with pytest.raises(RuntimeError, match="the agent is not in the directory"):
            report()
    assert dispatcher.take() == (ticket, "hello")


def test_a_delivery_says_what_to_hand_to_whom() -> None:
    dispatcher = with_agents(WRITER)
    ticket = sent(dispatcher, "hello", WRITER)
    match dispatcher.step():
        case Delivery(agent_id, agent, number, payload):
            assert (agent_id, agent, number, payload) == (WRITER, AGENT, ticket, "hello")
        case other:
            pytest.fail(f"expected a delivery, not {other!r}")


def test_the_internal_classes_are_final() -> None:
    for base in (Delivery, Dispatcher, Outcome):
        with pytest.raises(TypeError):
            type("Sub", (base,), {})
