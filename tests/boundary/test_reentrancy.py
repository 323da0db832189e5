"""B1: no lock is held while Python runs, whatever calls back and whenever.

A failure is a deadlock, so most of these run in a process of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ferrogen import AgentId, Subscription, TopicId, TypeSubscription
from ferrogen._core import Routes

RunProgram = Callable[[str], str]


class Meddling(Subscription):  # noqa: PLW1641 - never hashed
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


def test_a_subscription_may_remove_itself_and_later_ones_while_it_is_called() -> None:
    routes = Routes()

    class Leaving(Meddling):
        def meddle(self, where: str) -> None:
            if where == "is_match" and len(self.routes):
                for one in self.routes.subscriptions:
                    self.routes.remove(one.id)

    routes.add(Leaving(routes, "1"))
    routes.add(Leaving(routes, "2"))
    received = routes.recipients(TopicId("a", "b"))
    # The topic goes to those that were subscribed when it was published.
    assert [str(one) for one in received] == ["meddler/1", "meddler/2"]
    assert len(routes) == 0


LATE = """
import asyncio, contextlib, contextvars, gc, sys

from tests.boundary.engines import Agent, Host, make_engine
from ferrogen import AgentId, Subscription, TopicId, TypeSubscription
from ferrogen._core import PublishEnvelope, Routes

engine, routes = make_engine(), Routes()
A, NEWS = AgentId("a", "b"), TopicId("a", "b")
touched = 0

class Late:
    '''Uses everything while it is finalized.'''

    def time(self):
        return 0.0  # where it stands for an event loop

    def __del__(self):
        global touched
        touched += 1
        engine.instances(), engine.instance(A), engine.tally(), engine.waiting, engine.idle
        engine.configure(
            "late", concurrency=1, reentrant=False, capacity=1, overflow="reject",
            passivate_after=None,
            max_active=None,
        )
        engine.send_message("late", A).close()
        with contextlib.suppress(RuntimeError):
            engine.build(AgentId("late", str(touched)))
        routes.recipients(NEWS), routes.subscriptions, len(routes)

    id = property(lambda self: "late")
    def __eq__(self, other): return False
    def is_match(self, topic): return False
    def map_to_agent(self, topic): return AgentId("a", "b")

def garbage():
    '''A cycle, so that only the collector finds it.'''
    late = Late()
    late.itself = late

def start(awaitable):
    with contextlib.suppress(StopIteration):
        awaitable.send(None)

def in_loop(function):
    async def main():
        return function()
    return asyncio.run(main())

async def settled(awaitable):
    try:
        return await awaitable
    except Exception as error:
        return type(error).__name__
"""

BOUNDED = """
async def main():
    engine.configure(
        "a", concurrency=1, reentrant=False, capacity=1, overflow="drop_oldest",
        passivate_after=None,
        max_active=None,
    )
    engine.open(asyncio.get_running_loop(), contextvars.copy_context(), is_traced=False)
    engine.build(A)
    asked = [asyncio.ensure_future(settled(engine.send_message(Late(), A))) for _ in range(4)]
    for _ in range(10):
        await asyncio.sleep(0)
    engine.build_failed(A, OSError("no"))
    await asyncio.gather(*asked)
    engine.shut()
asyncio.run(main())
engine = make_engine()
gc.collect()
"""

HANDLED = """
async def main():
    engine.open(asyncio.get_running_loop(), contextvars.copy_context(), is_traced=False)
    agent = Agent()
    engine.enter(A, agent)
    for _ in range(3):
        await engine.send_message(Late(), A)
        await engine.publish_message(Late(), NEWS)
        await asyncio.sleep(0)
    engine.shut()
asyncio.run(main())
engine = make_engine()
gc.collect()
"""


@pytest.mark.parametrize(
    ("program", "times"),
    [
        pytest.param("in_loop(lambda: start(engine.publish_message(Late(), NEWS)))", 0, id="exit"),
        pytest.param(
            "in_loop(lambda: start(engine.publish_message(Late(), NEWS)))\n"
            "in_loop(lambda: engine.drain('over'))\nengine = make_engine()",
            1,
            id="drained",
        ),
        pytest.param("engine.send_message(Late(), A).close()", 1, id="closed"),
        pytest.param("engine.enter(A, Late()); engine = make_engine()", 1, id="agent"),
        pytest.param(
            "engine.build(A); engine.build_failed(A, Late()); engine.build(A)", 1, id="failed"
        ),
        pytest.param(
            "for _ in range(3): in_loop(lambda: engine.bind(Late(), contextvars.Context()))",
            2,
            id="bound",
        ),
        pytest.param(BOUNDED, 4, id="bounded"),
        pytest.param(HANDLED, 6, id="handled"),
        pytest.param("routes.add(Late()); routes.remove('late')", 1, id="routes"),
        pytest.param("PublishEnvelope(Late(), Late(), Late())", 3, id="envelope"),
        pytest.param(
            "e, late = make_engine(), Late(); late.e = e; e.enter(A, late); del e, late;"
            "gc.collect()",
            1,
            id="cycle-of-engine",
        ),
        pytest.param(
            "host = Host(); host.holds = Late(); e = make_engine(host); host.e = e; del e, host;"
            "gc.collect()",
            1,
            id="cycle-of-host",
        ),
        pytest.param(
            "r, late = Routes(), Late(); late.r = r; r.add(late); del r, late; gc.collect()",
            1,
            id="cycle-of-routes",
        ),
    ],
)
def test_a_finalizer_may_use_the_extension(
    run_program: RunProgram, program: str, times: int
) -> None:
    check = f"assert touched >= {times}, touched" if times else ""
    assert run_program(f"{LATE}\n{program}\n{check}\nprint('done')\n") == "done\n"


def test_a_collection_may_start_at_any_allocation(run_program: RunProgram) -> None:
    """With threshold 1 nearly every new object starts a collection, which calls back."""
    program = f"""
{LATE}
def touch(phase, facts):
    engine.idle, engine.instances(), len(routes), routes.recipients(NEWS)

class Making(Agent):
    async def on_message_impl(self, message, ctx):
        garbage()
        if message == "sleeps":
            await asyncio.sleep(0)
        ctx.message_id, ctx.cancellation_token
        garbage()
        return [message]

async def main():
    engine.open(asyncio.get_running_loop(), contextvars.copy_context(), is_traced=False)
    rules = [TypeSubscription("a", f"x{{n}}") for n in range(3)]
    gc.callbacks.append(touch)
    gc.set_threshold(1)
    for number in range(60):
        garbage()
        agent_id = AgentId("a", f"key {{number}}")
        engine.enter(agent_id, Making())
        garbage()
        for message in ("ends", "sleeps"):
            assert await engine.send_message(message, agent_id) == [message]
        asked = [asyncio.ensure_future(engine.send_message(n, agent_id)) for n in range(3)]
        garbage()
        await asyncio.gather(*asked)
        await engine.publish_message(garbage(), NEWS)
        garbage()
        for rule in rules:
            garbage()
            routes.add(rule)
        garbage()
        routes.recipients(NEWS), engine.instances(), routes.subscriptions
        for text in ("a\\ud800", "x y"):
            for attempt in (
                lambda: routes.add(TypeSubscription(text, "a")),
                lambda: routes.add(TypeSubscription("a", text)),
                lambda: routes.remove(text),
                lambda: routes.recipients(TopicId("a", text)),
                lambda: engine.configure(
                    text,
                    concurrency=0,
                    reentrant=False,
                    capacity=None,
                    overflow="reject",
                    passivate_after=None,
                    max_active=None,
                ),
                lambda: engine.build(agent_id),
                lambda: engine.built(agent_id, None),
            ):
                garbage()
                try:
                    attempt()
                except (ValueError, RuntimeError):
                    pass
        for rule in rules:
            garbage()
            routes.remove(rule.id)
    gc.set_threshold(700)
    gc.callbacks.clear()
    for _ in range(5):
        await asyncio.sleep(0)
    engine.shut()

asyncio.run(main())
gc.collect()
assert engine.idle and touched > 1000, touched
print("done")
"""
    assert run_program(program) == "done\n"


def test_the_extension_serves_several_threads(run_program: RunProgram) -> None:
    """No lock is held while the interpreter switches threads."""
    printed = run_program(
        """
        import asyncio, contextvars, sys, threading
        from tests.boundary.engines import Agent, make_engine
        from ferrogen import AgentId, TopicId, TypeSubscription
        from ferrogen._core import Routes

        sys.setswitchinterval(1e-6)
        shared, routes = make_engine(), Routes()
        handled = []

        def work(name):
            own, agent_id = TypeSubscription("shared", name), AgentId(name, "1")
            engine = make_engine()

            async def main():
                engine.open(asyncio.get_running_loop(), contextvars.copy_context(), is_traced=False)
                engine.enter(agent_id, Agent())
                for number in range(1500):
                    routes.add(own)
                    assert name in {a.type for a in routes.recipients(TopicId("shared", "1"))}
                    routes.remove(own.id)
                    key = AgentId(name, str(number))
                    shared.build(key)
                    shared.built(key, agent_id)
                    assert shared.instance(key) is agent_id
                    shared.tally(), shared.idle, shared.waiting
                    assert await engine.send_message(number, agent_id) == number
                    handled.append(number)
                engine.shut()

            asyncio.run(main())

        threads = [threading.Thread(target=work, args=(f"agent{n}",)) for n in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        assert len(shared.instances()) == 6000
        print(len(handled))
        """
    )
    assert int(printed) == 6000


def test_the_extension_stays_loaded_when_its_users_are_finalized_at_exit(
    run_program: RunProgram,
) -> None:
    printed = run_program(
        f"{LATE}\nsys.keep = Late(), engine, routes\n"
        "in_loop(lambda: start(engine.publish_message(Late(), NEWS)))\nprint('done')\n"
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
