"""A round: one or two runtimes, from their start to their end, under random messages."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from ferrogen import (
    AgentId,
    SingleThreadedAgentRuntime,
    Subscription,
    TopicId,
    TypeSubscription,
)

from .agents import AgentKind, PlainWorker, RoutedWorker, factory_of
from .aside import Aside
from .balance import check_balance
from .calling import CALLING
from .disturbances import Disturber
from .handlers import ACTIONS, LEAVES, act
from .interceptors import INTERCEPTORS, Interceptor
from .ledger import EXPECTED, Ledger, ViolationError
from .observing import tracer_provider
from .plans import Plan
from .sending import PUBLISHING, SENDING, Sender
from .stores import UnreliableStore
from .subscriptions import BROKEN, RaisingSubscription, TrackedSubscription
from .tracked import TrackedRuntime
from .virtual_loop import StuckError, VirtualLoop

__all__ = ["Round"]

_LEAVES = (list(LEAVES), [weight for _, weight in LEAVES.values()])
_ACTIONS = (
    list(LEAVES) + list(ACTIONS),
    [weight for _, weight in LEAVES.values()] + [weight / 2 for _, weight in ACTIONS.values()],
)
_WAYS = (
    [way for way, _ in (*SENDING.values(), *PUBLISHING.values(), *CALLING.values())],
    [weight for _, weight in (*SENDING.values(), *PUBLISHING.values(), *CALLING.values())],
    [*SENDING, *PUBLISHING, *CALLING],
)

_LONGEST_WAIT = 30


class Round:
    """A round.

    Args:
        plan: The random choices.
        used: Counts what was exercised.
    """

    def __init__(self, plan: Plan, used: Counter[str]) -> None:
        self.plan = plan
        self.random = plan.random
        self.used = used
        self.loop = VirtualLoop(self._every_iteration)
        self.ledger = Ledger(self.loop.time, used)
        self.homes: list[TrackedRuntime] = []
        self.aside = Aside()
        self.lock = asyncio.Lock()
        self.is_closing = False
        self._background: set[asyncio.Task[Any]] = set()

    def run(self) -> None:
        """Run the round; what it broke is in the ledger."""
        loop = self.loop
        loop.set_exception_handler(self._on_loop_error)
        try:
            loop.run_until_complete(self._main())
        except ViolationError as error:
            if not self.ledger.violations:
                self.ledger.violations.append(str(error))
        except BaseException as error:
            open_ones = [one for one in self.ledger.entries.values() if one.begun and not one.end]
            self.ledger.violations.append(f"{error!r}; open: {open_ones[:5]}")
            if isinstance(error, KeyboardInterrupt | SystemExit):
                raise
        finally:
            if not self.ledger.violations:
                loop.run_until_complete(asyncio.sleep(0.01))
                self._every_iteration_of_the_end()
            loop.close()

    def spawn(self, call: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Start a task that the end of the part waits for."""
        task = asyncio.create_task(call)
        self._background.add(task)
        task.add_done_callback(self._spawned_ended)
        return task

    def choose_action(self, depth: int) -> str:
        """A random action of a handler that may cause some hops."""
        names, weights = _ACTIONS if depth > 0 else _LEAVES
        return self.random.choices(names, weights)[0]

    # The loop.

    def _every_iteration(self) -> None:
        for home in self.homes:
            home.read_dead_letters()
        if self.ledger.violations:
            raise ViolationError(self.ledger.violations[0])

    def _every_iteration_of_the_end(self) -> None:
        gc.collect()  # tasks and errors that were lost are reported by their finalizers

    def _on_loop_error(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        is_shielded = str(context.get("message")).endswith("exception in shielded future")
        if is_shielded and isinstance(context.get("exception"), EXPECTED):
            return  # since Python 3.14, of a send whose shield was cancelled
        self.ledger.violate("the event loop reports an error", None, context)

    def _spawned_ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled():
            error = task.exception()
            if error is not None and not isinstance(error, EXPECTED):
                self.ledger.violate("a task of the program failed", None, error)

    # The parts.

    async def _main(self) -> None:
        await self.aside.start()
        for number in range(self.plan.runtimes):
            self.homes.append(await self._runtime(number))
        parts = self.plan.parts
        for index, part in enumerate(parts):
            is_last = index == len(parts) - 1
            await self._part(part, self.plan.messages // len(parts), is_last=is_last)
        await self._end()

    async def _part(self, part: str, messages: int, *, is_last: bool) -> None:
        self.used[f"part: {part}"] += 1
        disturber = Disturber(self)
        is_started = part == "started"
        takers = [] if is_started else [disturber.take_by_hand(home) for home in self.homes]
        if is_started:
            for home in self.homes:
                home.runtime.start()
        taking = [asyncio.create_task(taker) for taker in takers]
        most = self.ledger.messages + messages
        lanes = [asyncio.create_task(self._lane(number, most)) for number in range(self.plan.lanes)]
        programs = disturber.programs(is_started=is_started)
        disturbing = [asyncio.create_task(program) for program in programs]
        closes = is_last and self.plan.ends_with_close
        if closes:
            await self._until(lambda: self.ledger.messages >= most - messages // 2)
            await self._close()
        await self._until_done(lanes)
        disturber.is_ending = True
        await self._until_done(disturbing)
        await self._until_all_is_done()
        for home in self.homes:
            if is_started and not closes:
                await disturber.stop(home, home.runtime.stop_when_idle())
        for task in taking:
            task.cancel()
        if taking:
            await asyncio.wait(taking)
        # Senders of what was drained, and tasks whose handlers were canceled, get their ends.
        await asyncio.sleep(0.1)
        for home in self.homes:
            check_balance(home)
        self._every_iteration()

    async def _until_all_is_done(self) -> None:
        """Wait for the runtimes, whose handlers send to each other, and for tasks of handlers."""
        while True:
            await self._until(lambda: all(map(self._is_idle, self.homes)))
            if not self._background:
                return
            await asyncio.wait(self._background)

    @staticmethod
    def _is_idle(home: TrackedRuntime) -> bool:
        return home.runtime._engine.idle

    async def _until(self, condition: Callable[[], bool]) -> None:
        deadline = self.loop.time() + _LONGEST_WAIT
        while not condition():
            if self.loop.time() > deadline:
                raise StuckError(f"not idle after {_LONGEST_WAIT} virtual seconds")
            await asyncio.sleep(0.001)

    @staticmethod
    async def _until_done(tasks: list[asyncio.Task[None]]) -> None:
        """Wait for tasks, and raise what one of them has raised."""
        if tasks:
            await asyncio.wait(tasks)
        for task in tasks:
            await task

    async def _lane(self, number: int, most: int) -> None:
        random = self.random
        while self.ledger.messages < most:
            home = random.choice(self.homes)
            agent_id = AgentId("lane", str(number)) if random.random() < 0.5 else None
            if random.random() < 0.01:
                sender = Sender(self, home, agent_id, None, 40)
                sends: Coroutine[Any, Any, Any] = sender.send(sender.entry(None, "deep"))
            else:
                sender = Sender(self, home, agent_id, None, random.randint(0, self.plan.depth))
                index = random.choices(range(len(_WAYS[0])), _WAYS[1])[0]
                self.used[f"lane: {_WAYS[2][index]}"] += 1
                sends = _WAYS[0][index](sender)  # type: ignore[assignment]
            try:
                await sends
            except (*EXPECTED, asyncio.TimeoutError):
                pass
            if random.random() < 0.3 or home.is_down or self.is_closing:
                await asyncio.sleep(sender.seconds())

    # The beginning and the end.

    async def _runtime(self, number: int) -> TrackedRuntime:
        plan, random = self.plan, self.random
        kinds = [random.choice(INTERCEPTORS) for _ in range(plan.interceptors)]
        interceptors: list[Any] = [kind(self, plan.suspends) for kind in kinds]
        store = UnreliableStore(random, self.used) if plan.has_store else None
        runtime = SingleThreadedAgentRuntime(
            state_store=store,
            intervention_handlers=interceptors,
            tracer_provider=tracer_provider(is_recording=plan.is_traced),
            ignore_unhandled_exceptions=not plan.raise_unhandled,
            task_mode=plan.is_task_mode or None,
        )
        escalates = any(
            kind.supervision is not None and kind.supervision.on_failure == "escalate"
            for kind in plan.kinds
        )
        home = TrackedRuntime(
            runtime,
            self.ledger,
            random,
            partial(act, self),
            raise_unhandled=plan.raise_unhandled or escalates,
        )
        for one in interceptors:
            if isinstance(one, Interceptor):
                one.home = home
        self.used["mode: state store"] += plan.has_store
        self.used["mode: tasks" if plan.is_task_mode else "mode: inline"] += 1
        self.used["mode: recording tracer"] += plan.is_traced
        self.used["mode: unhandled errors halt"] += plan.raise_unhandled
        for kind in plan.kinds:
            await self._register(home, kind)
        await self._subscribe(home)
        return home

    async def _register(self, home: TrackedRuntime, kind: AgentKind) -> None:
        runtime = home.runtime
        home.types[kind.name] = kind
        ids = [AgentId(kind.name, f"k{key}") for key in range(self.plan.keys)]
        home.ids += ids
        self.used[f"option: concurrency {kind.concurrency}"] += 1
        if kind.capacity is not None:
            self.used[f"option: overflow {kind.overflow}"] += 1
        self.used[f"option: order {kind.order}"] += 1
        self.used["option: agents with retry"] += kind.retry is not None
        self.used["option: agents with circuit_breaker"] += kind.circuit_breaker is not None
        if kind.supervision is not None:
            self.used[f"option: supervision {kind.supervision.on_failure}"] += 1
        runtime.set_agent_options(kind.name, kind.options())
        if kind.factory != "instance":
            await runtime.register_factory(kind.name, factory_of(home, kind))
            return
        for agent_id in ids:
            worker = (RoutedWorker if kind.is_routed else PlainWorker)("is registered")
            worker.enter(home, str(agent_id))
            await runtime.register_agent_instance(worker, agent_id)

    async def _subscribe(self, home: TrackedRuntime) -> None:
        home.topics = [
            TopicId(name, f"k{key}")
            for name in ("t", "tt", "t.u", "u")
            for key in range(self.plan.keys)
        ]
        for kind in home.types.values():
            if kind.factory != "instance":
                one = TypeSubscription(self.random.choice(("t", "u")), kind.name)
                await self.add_subscription(home, one)
        if self.random.random() < 0.3:
            home.topics.append(TopicId(BROKEN, "k0"))
            raising = RaisingSubscription("raising", BROKEN, home.ids[0])
            await self.add_subscription(home, raising)
        if self.random.random() < 0.2:
            await self.add_subscription(home, TypeSubscription("u", "unknown"))

    async def add_subscription(
        self,
        home: TrackedRuntime,
        one: Subscription,
    ) -> None:
        """Add a subscription, unless an equal one is there."""
        if any(old.removed is None and old.subscription == one for old in home.subscriptions):
            return
        await home.runtime.add_subscription(one)
        home.version += 1
        home.add(TrackedSubscription(one, home.version))
        self.used[f"subscription: {type(one).__name__}"] += 1

    async def _close(self) -> None:
        self.is_closing = True
        self._heal_stores()
        for home in self.homes:
            home.is_closing = home.is_down = True
            home.stops += 1
        for home in self.homes:
            try:
                await home.runtime.close()
            except (*EXPECTED, RuntimeError, LookupError):
                self.used["close: raises an error of an agent"] += 1
            home.is_closed = True
            self.used["close"] += 1
            if home.live:
                self.ledger.violate("close() leaves agents open", None, list(home.live))

    def _heal_stores(self) -> None:
        for home in self.homes:
            if isinstance(home.runtime.state_store, UnreliableStore):
                home.runtime.state_store.failure_rate = 0.0

    def _check_passivation(self, home: TrackedRuntime) -> None:
        awake: Counter[str] = Counter()
        for worker in home.live.values():
            kind = home.types[worker.type_name]
            awake[kind.name] += 1
            if kind.passivate_after is not None and kind.factory != "instance":
                self.ledger.violate("an idle agent is not passivated", None, worker.key)
        for name, number in awake.items():
            most = home.types[name].max_active
            if most is not None and number > most:
                self.ledger.violate(f"{number} agents are idle in memory", None, name)

    async def _end(self) -> None:
        if not self.is_closing:
            # Idle for longer than any agent may be idle. A stopped runtime passivates none.
            self._heal_stores()
            for home in self.homes:
                home.runtime.start()
            await asyncio.sleep(100)
            for home in self.homes:
                self._check_passivation(home)
            await self._close()
        await asyncio.sleep(0.1)
        await self.aside.close()
