"""Garbage: every cycle that goes through the extension is collected, and nothing is kept.

Each cycle here can only be freed if the class it goes through shows the collector what it holds.
"""

from __future__ import annotations

import gc
import sys
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from ferrogen import AgentId, Subscription, TopicId
from ferrogen._core import Dispatcher, Outcome, Routes

WRITER = AgentId("writer", "1")


class Thing:
    """Something that can refer to anything: an agent, a payload, a whole runtime."""

    def __init__(self, **attributes: Any) -> None:
        self.__dict__.update(attributes)


class NamedThing(AgentId):
    """An id that can refer to anything."""

    holds: Any


def in_the_inbox(dispatcher: Dispatcher[Any], thing: Thing) -> None:
    dispatcher.accept(thing)


def as_an_answer_in_the_inbox(dispatcher: Dispatcher[Any], thing: Thing) -> None:
    dispatcher.enter(WRITER, object())  # type: ignore[arg-type]
    ticket = dispatcher.accept("question")
    dispatcher.admit(*dispatcher.take(), [WRITER])  # type: ignore[misc]
    dispatcher.step()
    dispatcher.answer(WRITER, ticket, thing)


def as_a_step_that_is_due(dispatcher: Dispatcher[Any], thing: Thing) -> None:
    dispatcher.enter(WRITER, object())  # type: ignore[arg-type]
    dispatcher.accept(thing)
    dispatcher.admit(*dispatcher.take(), [WRITER])  # type: ignore[misc]


def in_a_mailbox(dispatcher: Dispatcher[Any], thing: Thing) -> None:
    dispatcher.accept(thing)
    dispatcher.admit(*dispatcher.take(), [WRITER])  # type: ignore[misc]


def as_an_agent(dispatcher: Dispatcher[Any], thing: Thing) -> None:
    dispatcher.enter(WRITER, thing)  # type: ignore[arg-type]


def on_the_id_of_an_agent(dispatcher: Dispatcher[Any], thing: Thing) -> None:
    agent_id = NamedThing("writer", "1")
    agent_id.holds = thing
    dispatcher.build(agent_id)


def in_the_text_of_a_key(dispatcher: Dispatcher[Any], thing: Thing) -> None:
    key = type("Text", (str,), {})("1")
    key.holds = thing
    dispatcher.build(AgentId("writer", key))


def in_a_delivery_that_the_payload_holds(dispatcher: Dispatcher[Any], thing: Thing) -> None:
    as_a_step_that_is_due(dispatcher, thing)
    thing.delivery = dispatcher.step()  # type: ignore[attr-defined]


PLACES = [
    in_the_inbox,
    as_an_answer_in_the_inbox,
    as_a_step_that_is_due,
    in_a_mailbox,
    as_an_agent,
    on_the_id_of_an_agent,
    in_the_text_of_a_key,
    in_a_delivery_that_the_payload_holds,
]


@pytest.mark.parametrize("put", PLACES)
def test_a_cycle_through_a_dispatcher_is_collected(put: Callable[..., None]) -> None:
    dispatcher: Dispatcher[Any] = Dispatcher()
    thing = Thing(dispatcher=dispatcher)
    put(dispatcher, thing)
    gone = weakref.ref(dispatcher), weakref.ref(thing)
    del dispatcher, thing
    gc.collect()
    assert [reference() for reference in gone] == [None, None]


@pytest.mark.parametrize("put", PLACES)
def test_a_dispatcher_outside_any_cycle_frees_what_it_holds_at_once(
    put: Callable[..., None],
) -> None:
    gc.disable()
    try:
        dispatcher: Dispatcher[Any] = Dispatcher()
        thing = Thing()
        put(dispatcher, thing)
        thing.__dict__.pop("delivery", None)
        gone = weakref.ref(thing)
        del dispatcher, thing
        assert gone() is None
    finally:
        gc.enable()


def test_a_cycle_through_a_delivery_is_collected() -> None:
    dispatcher: Dispatcher[Any] = Dispatcher()
    agent, payload, agent_id = Thing(), Thing(), NamedThing("writer", "1")
    dispatcher.enter(agent_id, agent)  # type: ignore[arg-type]
    dispatcher.accept(payload)
    dispatcher.admit(*dispatcher.take(), [agent_id])  # type: ignore[misc]
    delivery = dispatcher.step()
    agent.holds = payload.holds = agent_id.holds = delivery  # type: ignore[attr-defined]
    gone = [weakref.ref(one) for one in (agent, payload, agent_id)]
    del dispatcher, agent, payload, agent_id, delivery
    gc.collect()
    assert [reference() for reference in gone] == [None, None, None]


class Listening(Subscription):
    """A custom subscription that can refer to anything."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.holds: Any = None

    @property
    def id(self) -> str:
        return self.name

    def is_match(self, topic_id: TopicId) -> bool:
        return True

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        return WRITER


def test_a_cycle_through_the_routes_is_collected() -> None:
    routes, subscription = Routes(), Listening("1")
    subscription.holds = routes
    routes.add(subscription)
    gone = weakref.ref(subscription)
    del routes, subscription
    gc.collect()
    assert gone() is None


def test_whatever_goes_through_leaves_no_reference() -> None:
    agent, payload, subscription = Thing(), Thing(), Listening("1")
    agent_id, answer, topic = AgentId("writer", "key of its own"), Thing(), TopicId("a", "source 1")
    watched: list[Any] = [agent, payload, subscription, agent_id, answer, topic, agent_id.key]
    dispatcher: Dispatcher[Any] = Dispatcher()
    routes = Routes()
    before = [sys.getrefcount(one) for one in watched]

    def once() -> None:
        routes.add(subscription)
        with pytest.raises(ValueError, match="exists"):
            routes.add(subscription)
        routes.recipients(topic)
        routes.remove(subscription.id)
        dispatcher.build(agent_id)
        ticket = dispatcher.accept(payload)
        dispatcher.admit(*dispatcher.take(), [agent_id])  # type: ignore[misc]
        dispatcher.built(agent_id, agent)  # type: ignore[arg-type]
        dispatcher.step()
        dispatcher.answer(agent_id, ticket, answer)
        dispatcher.take()
        dispatcher.end(ticket, Outcome.ANSWERED)
        with pytest.raises(RuntimeError, match="L1"):
            dispatcher.admit(ticket, payload, [agent_id, agent_id])
        dispatcher.end(dispatcher.accept(payload), Outcome.DROPPED)
        dispatcher.drain()
        assert dispatcher.passivate(agent_id) is agent
        dispatcher.build(agent_id)
        dispatcher.accept(payload)
        dispatcher.admit(*dispatcher.take(), [agent_id])  # type: ignore[misc]
        for waiting, _ in dispatcher.build_failed(agent_id):
            dispatcher.end(waiting, Outcome.FAILED)

    for _ in range(100):
        once()
    assert [sys.getrefcount(one) for one in watched] == before
    assert dispatcher.idle


def test_a_dispatcher_forgets_all_about_agents_that_have_gone(run_program: Any) -> None:
    grown = run_program(
        """
        from ferrogen import AgentId
        from ferrogen._core import Dispatcher, Outcome

        def resident():
            with open("/proc/self/statm") as numbers:
                return int(numbers.read().split()[1]) * 4096

        dispatcher = Dispatcher()
        def come_and_go(count):
            for number in range(count):
                agent_id = AgentId("writer", f"a-key-of-some-length-{number}")
                ticket = dispatcher.accept(object())
                dispatcher.admit(*dispatcher.take(), [agent_id])
                dispatcher.step()
                dispatcher.built(agent_id, object())
                dispatcher.step()
                dispatcher.finish(agent_id, ticket, Outcome.HANDLED)
                assert dispatcher.passivate(agent_id)
        come_and_go(1000)
        before = resident()
        come_and_go(100_000)
        print(resident() - before)
        """
    )
    assert int(grown) < 2_000_000
