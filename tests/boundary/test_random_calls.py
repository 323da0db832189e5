"""Random calls, in any order and with any arguments: they raise errors of Python and lose nothing.

A panic is a `PanicException`, which is not an `Exception`, and fails the test.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from ferrogen import (
    AgentId,
    AgentType,
    TopicId,
    TypePrefixSubscription,
    TypeSubscription,
    WildcardSubscription,
)
from ferrogen._core import (
    Engine,
    Handlers,
    PublishEnvelope,
    Routes,
    Send,
    is_valid_agent_type,
)

from ..random_examples import examples
from .engines import Agent, Host, make_engine

ALLOWED = (TypeError, ValueError, OverflowError, RuntimeError, AttributeError)

agent_ids = st.builds(
    AgentId, st.sampled_from(["a", "b", "ключ"]), st.sampled_from(["", "1", "é/"])
)
topic_ids = st.builds(TopicId, st.sampled_from("tu"), st.sampled_from(["", "1"]))
message_options = st.fixed_dictionaries(
    {},
    optional={
        "priority": st.one_of(st.none(), st.integers(-2, 2)),
        "fairness_key": st.sampled_from([None, "", "a", "b"]),
        "timeout": st.sampled_from([None, 1e-9, 1e-3, 1.0, 1e300, math.inf]),
    },
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
)


class AnyOrder(RuleBasedStateMachine):
    """Calls an engine's methods in any order, as the runtime, the event loop and the host would."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(lambda _loop, context: self.reports.append(context))
        self.reports: list[dict[str, Any]] = []
        self.host = Host()
        self.engine = make_engine(self.host)
        self.sends: list[Any] = []
        self.tasks: list[asyncio.Future[Any]] = []

    def teardown(self) -> None:
        self.in_loop(self.engine.shut)
        self.in_loop(lambda: self.engine.drain("over"))
        for agent_id in list(self.building):
            self.engine.build_failed(agent_id, OSError("over"))
        for task in self.tasks:
            task.cancel()
        self.in_loop(lambda: None, iterations=6)
        for send in self.sends:
            send.close()
        self.loop.close()
        unexpected = [one for one in self.reports if not isinstance(one.get("exception"), ALLOWED)]
        assert unexpected == []

    def in_loop(self, call: Callable[[], Any], iterations: int = 0) -> Any:
        async def run() -> Any:
            try:
                return call()
            except ALLOWED as error:
                return error
            finally:
                for _ in range(iterations):
                    await asyncio.sleep(0)

        return self.loop.run_until_complete(run())

    @property
    def building(self) -> set[AgentId]:
        ids = {AgentId(kind, key) for kind in "ab" for key in ("", "1")}
        found = set()
        for agent_id in ids:
            if self.engine.instance(agent_id) is None:
                try:
                    self.engine.build(agent_id)
                except RuntimeError:
                    found.add(agent_id)
                else:
                    self.engine.build_failed(agent_id, KeyError(agent_id))
        return found

    @rule(
        message=odd_things,
        to=st.one_of(agent_ids, odd_things),
        options=message_options,
        awaits=st.booleans(),
    )
    def send(self, message: Any, to: Any, options: dict[str, Any], awaits: bool) -> None:
        self.take(lambda: self.engine.send_message(message, to, **options), awaits)

    @rule(
        message=odd_things,
        to=st.one_of(topic_ids, odd_things),
        options=message_options,
        awaits=st.booleans(),
    )
    def publish(self, message: Any, to: Any, options: dict[str, Any], awaits: bool) -> None:
        self.take(lambda: self.engine.publish_message(message, to, **options), awaits)

    def take(self, call: Callable[[], Any], awaits: bool) -> None:
        if not awaits:
            self.sends.append(call())
            return

        async def settled(awaitable: Any) -> None:
            with suppress(*ALLOWED, LookupError, asyncio.CancelledError):
                await awaitable

        self.in_loop(
            lambda: self.tasks.append(asyncio.ensure_future(settled(call()))), iterations=1
        )

    @rule(
        data=st.data(),
        name=st.sampled_from(["send", "throw", "close", "cancel", "done", "result", "exception"]),
    )
    def touch_a_send(self, data: st.DataObject, name: str) -> None:
        if self.sends:
            send = data.draw(st.sampled_from(self.sends))
            arguments = {"send": (None,), "throw": (KeyError("thrown"),)}.get(name, ())

            def call() -> None:
                with suppress(
                    StopIteration, LookupError, asyncio.CancelledError, asyncio.InvalidStateError
                ):
                    getattr(send, name)(*arguments)

            self.in_loop(call)

    @rule(agent_id=agent_ids)
    def enter(self, agent_id: AgentId) -> None:
        agent = Agent()
        before = self.engine.instance(agent_id)
        with suppress(RuntimeError):
            self.engine.enter(agent_id, agent)
            assert before is None
            assert self.engine.instance(agent_id) is agent

    @rule(agent_id=agent_ids, agent=st.builds(Agent))
    def end_a_build(self, agent_id: AgentId, agent: Agent) -> None:
        self.in_loop(lambda: self.engine.built(agent_id, agent))

    @rule(agent_id=agent_ids)
    def fail_a_build(self, agent_id: AgentId) -> None:
        self.in_loop(lambda: self.engine.build_failed(agent_id, OSError("no")))

    @rule(agent_id=agent_ids)
    def start_a_build(self, agent_id: AgentId) -> None:
        self.in_loop(lambda: self.engine.build(agent_id))

    @rule(agent_id=agent_ids)
    def end_a_passivation(self, agent_id: AgentId) -> None:
        self.in_loop(lambda: self.engine.passivated(agent_id))

    @rule(agent_id=agent_ids, retry_after=st.sampled_from([None, 0.0, 1.0, 1e300, math.nan]))
    def fail_a_passivation(self, agent_id: AgentId, retry_after: float | None) -> None:
        self.in_loop(lambda: self.engine.stay_awake(agent_id, Agent(), retry_after=retry_after))

    @rule(
        concurrency=st.one_of(st.none(), st.integers(1, 3)),
        capacity=st.one_of(st.none(), st.integers(1, 3)),
        reentrant=st.booleans(),
        overflow=st.sampled_from(["reject", "drop_newest", "drop_oldest"]),
        passivate_after=st.sampled_from([None, 0.0, 1e-9, 1.0, 1e300, math.inf, math.nan, -1.0]),
        max_active=st.one_of(st.none(), st.integers(1, 2)),
    )
    def configure(self, **options: Any) -> None:
        self.in_loop(lambda: self.engine.configure("a", **options))

    @rule(
        name=st.sampled_from(
            [
                "process_batch",
                "begin_gathered",
                "resume_responded",
                "wake_up",
                "finish_cancelled",
                "take_one",
            ]
        ),
        iterations=st.integers(0, 3),
    )
    def call_back(self, name: str, iterations: int) -> None:
        self.in_loop(getattr(self.engine, name), iterations)

    @rule()
    def open(self) -> None:
        context = contextvars.copy_context()
        self.in_loop(lambda: self.engine.open(self.loop, context, is_traced=False), iterations=1)

    @rule()
    def bind(self) -> None:
        self.in_loop(lambda: self.engine.bind(self.loop, contextvars.copy_context()))

    @rule()
    def shut(self) -> None:
        self.in_loop(self.engine.shut)

    @rule()
    def drain(self) -> None:
        self.in_loop(lambda: self.engine.drain("drained"))

    @rule(name=st.sampled_from(sorted(set(dir(Engine)) - set(dir(object)))), data=st.data())
    def call_with_anything(self, name: str, data: st.DataObject) -> None:
        arguments = data.draw(st.lists(odd_things, max_size=4))
        before = self.seen()
        result = self.in_loop(lambda: getattr(self.engine, name)(*arguments))
        if isinstance(result, Send):
            result.close()
        if isinstance(result, TypeError) and arguments:
            assert self.seen() == before

    def seen(self) -> tuple[Any, ...]:
        instances = Counter(str(agent_id) for agent_id, _ in self.engine.instances())
        return self.engine.tally(), self.engine.idle, self.engine.waiting, instances

    @invariant()
    def the_books_agree(self) -> None:
        counts = self.engine.tally()
        accepted = counts.pop("accepted")
        settled = sum(counts.values())
        assert settled <= accepted
        assert self.engine.idle is (settled == accepted)
        instances = self.engine.instances()
        assert len({agent_id for agent_id, _ in instances}) == len(instances)
        for agent_id, agent in instances:
            assert self.engine.instance(agent_id) is agent


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = examples(40, stateful_step_count=40)


class OddSubscription:
    """Returns an odd object from every method."""

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
    st.builds(WildcardSubscription, st.sampled_from("x*>"), odd_things, odd_things),
    st.builds(WildcardSubscription, st.sampled_from(["x", "*", "*.>"]), st.sampled_from("ab")),
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
@examples(80)
def test_routes_return_a_result_or_an_error_for_any_arguments(calls: list[Any]) -> None:
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
@examples(80)
def test_everything_else_returns_a_result_or_an_error_for_any_arguments(
    arguments: list[Any],
) -> None:
    for call in (
        AgentId,
        AgentId.from_str,
        is_valid_agent_type,
        Routes,
        Engine,
        Handlers,
        PublishEnvelope,
    ):
        with suppress(*ALLOWED):
            call(*arguments)
