"""B1: no lock is held while Python runs, whoever calls back and whenever.

What a failure of these looks like is a deadlock, so most run in a process of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ferrogen import AgentId, Subscription, TopicId, TypeSubscription
from ferrogen._core import Routes

RunProgram = Callable[[str], str]


class Meddling(Subscription):  # noqa: PLW1641 - nobody hashes it
    """Calls back into the routes from every method that the routes call."""

    def __init__(self, routes: Routes, name: str) -> None:
        self.routes = routes
        self.name = name
        self.meddled: list[str] = []
        self.busy = False

    def meddle(self, where: str) -> None:
        if self.busy:
            return
        self.busy = True
        self.meddled.append(where)
        added = TypeSubscription("added", f"by-{self.name}", id=f"{self.name}-{where}")
        self.routes.add(added)
        self.routes.recipients(TopicId("added", "s"))
        assert added in self.routes.subscriptions
        self.routes.remove(added.id)
        self.busy = False

    @property
    def id(self) -> str:
        self.meddle("id")
        return self.name

    def __eq__(self, other: object) -> bool:
        self.meddle("eq")
        return self is other

    def is_match(self, topic_id: TopicId) -> bool:
        self.meddle("is_match")
        return True

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        self.meddle("map_to_agent")
        return AgentId("meddler", self.name)


def test_a_subscription_may_change_the_routes_from_all_its_methods() -> None:
    routes = Routes()
    first, second = Meddling(routes, "1"), Meddling(routes, "2")
    routes.add(first)
    routes.add(second)
    assert [str(one) for one in routes.recipients(TopicId("a", "b"))] == ["meddler/1", "meddler/2"]
    assert {*first.meddled, *second.meddled} == {"id", "eq", "is_match", "map_to_agent"}
    assert len(routes) == 2


def test_a_subscription_may_remove_itself_and_those_after_it_while_it_is_asked() -> None:
    routes = Routes()

    class Leaving(Meddling):
        def meddle(self, where: str) -> None:
            if where == "is_match" and len(self.routes):
                for one in self.routes.subscriptions:
                    self.routes.remove(one.id)

    routes.add(Leaving(routes, "1"))
    routes.add(Leaving(routes, "2"))
    heard = routes.recipients(TopicId("a", "b"))
    # The topic goes to those that were subscribed when it was published.
    assert [str(one) for one in heard] == ["meddler/1", "meddler/2"]
    assert len(routes) == 0


LATE = """
import gc, sys

from ferrogen import AgentId, Subscription, TopicId, TypeSubscription
from ferrogen._core import Dispatcher, Outcome, Routes

dispatcher, routes = Dispatcher(), Routes()
touched = 0

class Late:
    '''Touches everything as it goes.'''

    name = "late"

    def __del__(self):
        global touched
        touched += 1
        dispatcher.end(dispatcher.accept(None), Outcome.DROPPED)
        dispatcher.instances(), dispatcher.tally(), dispatcher.waiting
        dispatcher.passivate(AgentId("nobody", "1"))
        routes.recipients(TopicId("a", "b")), routes.subscriptions, len(routes)

    id = property(lambda self: "late")
    def __eq__(self, other): return False
    def is_match(self, topic): return False
    def map_to_agent(self, topic): return AgentId("a", "b")

def garbage():
    '''A cycle, so that only the collector finds it.'''
    late = Late()
    late.itself = late

"""


@pytest.mark.parametrize(
    ("what", "times"),
    [
        pytest.param("dispatcher.accept(Late()); del dispatcher", 0, id="dispatcher-at-exit"),
        ("dispatcher.accept(Late()); taken = dispatcher.take(); del taken", 1),
        ("dispatcher.accept(Late()); dispatcher.drain()", 1),
        ("a = AgentId('a', 'b'); dispatcher.enter(a, Late()); dispatcher.passivate(a)", 1),
        (
            "a = AgentId('a', 'b'); dispatcher.build(a); t = dispatcher.accept(Late());"
            "dispatcher.admit(*dispatcher.take(), [a]); dispatcher.build_failed(a)",
            1,
        ),
        (
            "a = AgentId('a', 'b'); dispatcher.enter(a, 1);"
            "dispatcher.limit('a', concurrency=1, capacity=1, drop_oldest=True);"
            "[dispatcher.admit(dispatcher.accept(n), Late(), [a]) for n in range(4)]",
            2,
        ),
        ("routes.add(Late()); routes.remove('late')", 1),
        ("d = Dispatcher(); d.accept(Late()); d.enter(AgentId('a', 'b'), Late()); del d", 2),
        (
            "d, late = Dispatcher(), Late(); late.d = d; d.accept(late); del d, late; gc.collect()",
            1,
        ),
        ("r, late = Routes(), Late(); late.r = r; r.add(late); del r, late; gc.collect()", 1),
    ],
)
def test_what_is_dropped_may_touch_the_extension_as_it_goes(
    run_program: RunProgram, what: str, times: int
) -> None:
    program = f"{LATE}\n{what}\nassert touched >= {times}, touched\nprint('done')\n"
    if times == 0:  # the globals are gone when the object goes
        program = program.replace("del dispatcher", "other = dispatcher")
    assert run_program(program) == "done\n"


def test_a_collection_may_start_at_any_allocation(run_program: RunProgram) -> None:
    """With threshold 1 nearly every new object starts a collection, which calls back."""
    program = f"""
{LATE}
def touch(phase, facts):
    dispatcher.idle, dispatcher.instances(), len(routes), routes.recipients(TopicId("a", "b"))

gc.callbacks.append(touch)
gc.set_threshold(1)
for number in range(200):
    garbage()
    a = AgentId("a", f"key {{number}}")
    ticket = dispatcher.accept([garbage()])
    garbage()
    while (taken := dispatcher.take()) is not None:
        if taken[1] is None:  # from a finalizer
            continue
        garbage()
        dispatcher.admit(*taken, [a, AgentId("b", f"key {{number}}")])
        garbage()
    while (step := dispatcher.step()) is not None:
        garbage()
        if isinstance(step, AgentId):
            dispatcher.built(step, [garbage()])
        else:
            garbage()
            dispatcher.finish(step.agent_id, step.ticket, Outcome.HANDLED)
    garbage()
    rules = [TypeSubscription("a", f"x{{n}}") for n in range(3)]
    for rule in rules:
        garbage()
        routes.add(rule)
    garbage()
    routes.recipients(TopicId("a", "b"))
    garbage()
    dispatcher.instances(), routes.subscriptions
    for text in ("a\\ud800", "x y"):
        garbage()
        for attempt in (
            lambda: routes.add(TypeSubscription(text, "a")),
            lambda: routes.add(TypeSubscription("a", text)),
            lambda: routes.remove(text),
            lambda: routes.recipients(TopicId("a", text)),
            lambda: dispatcher.limit(text, concurrency=0, capacity=None, drop_oldest=False),
            lambda: dispatcher.end(ticket, Outcome.HANDLED),
            lambda: dispatcher.build(AgentId("a", f"key {{number}}")),
        ):
            garbage()
            try:
                attempt()
            except (ValueError, RuntimeError):
                pass
    for rule in rules:
        garbage()
        routes.remove(rule.id)
    for agent_id in (a, AgentId("b", f"key {{number}}")):
        garbage()
        dispatcher.passivate(agent_id)
gc.set_threshold(700)
gc.callbacks.clear()
del a, ticket, step
gc.collect()
assert dispatcher.idle and touched > 5000, touched
print("done")
"""
    assert run_program(program) == "done\n"


def test_the_extension_serves_several_threads(run_program: RunProgram) -> None:
    """The lock is only ever held for an instant, and never while the thread switches."""
    printed = run_program(
        """
        import sys, threading
        from ferrogen import AgentId, TopicId, TypeSubscription
        from ferrogen._core import Delivery, Dispatcher, Outcome, Routes

        sys.setswitchinterval(1e-6)
        dispatcher, routes = Dispatcher(), Routes()

        def work(name):
            own = TypeSubscription("shared", name)
            agent_id = AgentId(name, "1")
            dispatcher.enter(agent_id, object())
            for number in range(3000):
                routes.add(own)
                assert agent_id.type in {a.type for a in routes.recipients(TopicId("shared", "1"))}
                routes.remove(own.id)
                dispatcher.accept(number)
                if (taken := dispatcher.take()) is not None:
                    dispatcher.admit(*taken, [agent_id])
                if isinstance(step := dispatcher.step(), Delivery):
                    dispatcher.finish(step.agent_id, step.ticket, Outcome.HANDLED)

        threads = [threading.Thread(target=work, args=(f"agent{n}",)) for n in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        while (taken := dispatcher.take()) is not None:
            dispatcher.admit(*taken, [AgentId("agent0", "1")])
        while (step := dispatcher.step()) is not None:
            dispatcher.finish(step.agent_id, step.ticket, Outcome.HANDLED)
        assert dispatcher.idle
        print(dispatcher.tally()["handled"])
        """
    )
    assert int(printed) == 12_000


def test_the_extension_stays_loaded_when_its_users_go_at_exit(run_program: RunProgram) -> None:
    printed = run_program(
        f"{LATE}\nsys.keep = Late(), dispatcher, routes\ndispatcher.accept(Late())\nprint('done')\n"
    )
    assert printed == "done\n"


def test_errors_leave_the_routes_as_they_were(request: Any) -> None:
    routes = Routes()

    class Exploding(Meddling):
        def meddle(self, where: str) -> None:
            raise KeyError(where)

    with pytest.raises(KeyError, match="id"):
        routes.add(Exploding(routes, "1"))
    assert len(routes) == 0
    routes.add(TypeSubscription("a", "b"))
    assert [str(one) for one in routes.recipients(TopicId("a", "1"))] == ["b/1"]
