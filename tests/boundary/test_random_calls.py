"""Random calls: whatever is called in whatever order, with whatever, only Python's errors come.

A panic would come as a `PanicException`, which is no `Exception` and so fails the test.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ferrogen import (
    AgentId,
    AgentType,
    TopicId,
    TypePrefixSubscription,
    TypeSubscription,
)
from ferrogen._core import Delivery, Dispatcher, Outcome, Routes, is_valid_agent_type

ALLOWED = (TypeError, ValueError, OverflowError, RuntimeError, AttributeError)

agent_ids = st.builds(
    AgentId, st.sampled_from(["a", "b", "ключ"]), st.sampled_from(["", "1", "é/"])
)
outcomes = st.sampled_from(
    [Outcome.HANDLED, Outcome.ANSWERED, Outcome.DROPPED, Outcome.FAILED, Outcome.DEAD_LETTERED]
)
odd_things = st.one_of(
    st.none(),
    st.integers(),
    st.integers(min_value=2**63, max_value=2**130),
    st.text(st.characters(), max_size=4),
    st.binary(max_size=3),
    st.floats(),
    st.sampled_from([[], {}, (), object(), AgentId, AgentType("a"), TopicId("a", "b"), "\ud800"]),
    agent_ids,
    outcomes,
)


class AnyOrder(RuleBasedStateMachine):
    """Drives a dispatcher with right and wrong tickets and ids, and counts along."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher: Dispatcher[Any] = Dispatcher()
        self.tickets: list[int] = [0, 1]
        self.payloads: dict[int, list[object]] = {}

    def ticket(self, data: st.DataObject) -> int:
        return data.draw(st.sampled_from(self.tickets), label="ticket")

    @rule(payload=odd_things)
    def accept(self, payload: object) -> None:
        self.tickets.append(self.dispatcher.accept(payload))

    @rule(data=st.data(), recipients=st.lists(agent_ids, max_size=3), ours=st.booleans())
    def admit(self, data: st.DataObject, recipients: list[AgentId], ours: bool) -> None:
        taken = self.dispatcher.take() if ours else (self.ticket(data), "made up")
        if taken is None:
            return
        try:
            refused = self.dispatcher.admit(*taken, recipients)
        except RuntimeError:
            return
        assert all(ticket in self.tickets for ticket, _ in refused)

    @rule()
    def step(self) -> None:
        step = self.dispatcher.step()
        if isinstance(step, Delivery):
            assert self.dispatcher.instance(step.agent_id) is step.agent
            assert step.ticket in self.tickets

    @rule(data=st.data(), agent_id=agent_ids, outcome=outcomes)
    def report(self, data: st.DataObject, agent_id: AgentId, outcome: Outcome) -> None:
        ticket = self.ticket(data)
        calls = {
            "finish": lambda: self.dispatcher.finish(agent_id, ticket, outcome),
            "answer": lambda: self.dispatcher.answer(agent_id, ticket, "answer"),
            "release": lambda: self.dispatcher.release(agent_id, ticket),
            "end": lambda: self.dispatcher.end(ticket, outcome),
        }
        before = self.seen()
        try:
            calls[data.draw(st.sampled_from(sorted(calls)))]()
        except RuntimeError:
            assert self.seen() == before  # a refused request has changed nothing

    @rule(data=st.data(), agent_id=agent_ids)
    def live(self, data: st.DataObject, agent_id: AgentId) -> None:
        calls = {
            "build": lambda: self.dispatcher.build(agent_id),
            "built": lambda: self.dispatcher.built(agent_id, object()),  # type: ignore[arg-type]
            "build_failed": lambda: self.dispatcher.build_failed(agent_id),
            "enter": lambda: self.dispatcher.enter(agent_id, object()),  # type: ignore[arg-type]
            "passivate": lambda: self.dispatcher.passivate(agent_id),
        }
        before = self.seen()
        try:
            calls[data.draw(st.sampled_from(sorted(calls)))]()
        except RuntimeError:
            assert self.seen() == before

    @rule()
    def drain(self) -> None:
        rest = self.dispatcher.drain()
        assert all(ticket in self.tickets for ticket, _ in rest)
        assert self.dispatcher.waiting == 0

    limits = st.none() | st.integers(1, 3) | st.just(2**63)

    @rule(name=st.sampled_from(["a", "b"]), most=limits, room=limits, oldest=st.booleans())
    def limit(self, name: str, most: int | None, room: int | None, oldest: bool) -> None:
        self.dispatcher.limit(name, concurrency=most, capacity=room, drop_oldest=oldest)

    @rule(data=st.data(), arguments=st.lists(odd_things, max_size=4))
    def nonsense(self, data: st.DataObject, arguments: list[Any]) -> None:
        names = [name for name in dir(self.dispatcher) if not name.startswith("_")]
        method = getattr(self.dispatcher, data.draw(st.sampled_from(names)))
        try:
            answer = method(*arguments)
        except ALLOWED:
            return
        if isinstance(answer, int):
            self.tickets.append(answer)

    def seen(self) -> tuple[Any, ...]:
        dispatcher = self.dispatcher
        instances = Counter(str(agent_id) for agent_id, _ in dispatcher.instances())
        return dispatcher.tally(), dispatcher.open, dispatcher.waiting, instances

    @invariant()
    def the_books_agree(self) -> None:
        counts = self.dispatcher.tally()
        accepted = counts.pop("accepted")
        assert accepted == sum(counts.values()) + self.dispatcher.open
        assert self.dispatcher.idle is (self.dispatcher.open == 0)
        instances = self.dispatcher.instances()
        assert len({agent_id for agent_id, _ in instances}) == len(instances)
        for agent_id, agent in instances:
            assert self.dispatcher.instance(agent_id) is agent


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=100, stateful_step_count=40)


class OddSubscription:
    """Answers every question with something odd."""

    def __init__(self, id: Any, matches: Any, agent: Any) -> None:
        self.id = id
        self.matches = matches
        self.agent = agent

    def is_match(self, topic_id: TopicId) -> Any:
        return self.matches

    def map_to_agent(self, topic_id: TopicId) -> Any:
        return self.agent


class OddTopic:
    """A topic with odd parts."""

    def __init__(self, type: Any, source: Any) -> None:
        self.type = type
        self.source = source


subscriptions = st.one_of(
    st.builds(TypeSubscription, odd_things, odd_things, odd_things),
    st.builds(TypePrefixSubscription, odd_things, odd_things, odd_things),
    st.builds(TypeSubscription, st.sampled_from("xyz"), st.sampled_from("ab")),
    st.builds(TypePrefixSubscription, st.sampled_from(["", "x", "y"]), st.sampled_from("ab")),
    st.builds(OddSubscription, odd_things, odd_things, odd_things),
    st.builds(OddSubscription, st.sampled_from("ij"), st.booleans(), agent_ids),
    odd_things,
)
topics = st.one_of(
    st.builds(OddTopic, odd_things, odd_things),
    st.builds(OddTopic, st.sampled_from("xyz"), st.text(max_size=2)),
    odd_things,
)


@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "recipients"]), subscriptions, topics)))
@settings(max_examples=200)
def test_routes_answer_anything_with_a_result_or_an_error(calls: list[Any]) -> None:
    routes = Routes()
    for name, subscription, topic in calls:
        before = routes.subscriptions
        argument = topic if name == "recipients" else subscription
        if name == "remove":
            argument = getattr(subscription, "id", subscription)
        try:
            getattr(routes, name)(argument)
        except ALLOWED:
            assert routes.subscriptions == before
        assert len(routes) == len(routes.subscriptions)


@given(st.lists(odd_things, max_size=3))
@settings(max_examples=200)
def test_everything_else_answers_anything_with_a_result_or_an_error(arguments: list[Any]) -> None:
    for call in (AgentId, AgentId.from_str, is_valid_agent_type, Routes, Dispatcher):
        with suppress(*ALLOWED):
            call(*arguments)
