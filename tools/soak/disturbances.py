"""Disturbances: stops and starts, subscriptions, log levels, messages taken by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ferrogen import Subscription, TypePrefixSubscription, TypeSubscription, WildcardSubscription
from ferrogen.exceptions import (
    AttemptTimeoutError,
    DeadlineExceededError,
    MessageCancelledError,
    RuntimeStoppedError,
)

from .ledger import EXPECTED
from .messages import RoutingError
from .observing import set_log_level
from .subscriptions import CustomSubscription, RaisingSubscription

if TYPE_CHECKING:
    from .rounds import Round
    from .tracked import TrackedRuntime

__all__ = ["Disturber"]

TAKE_BESIDE = 0.1
# What the runtime makes of the cancellation of a handler. One can be cancelled before the program
# knows of it.
_OF_RUNTIME = (AttemptTimeoutError, DeadlineExceededError, MessageCancelledError)


class Disturber:
    """Disturbs the runtimes of a round.

    Args:
        round: The round.
    """

    def __init__(self, round: Round) -> None:
        self._round = round
        self._random = round.random
        self.is_ending = False
        """Whether the part ends: nothing more is disturbed."""

    def programs(self, *, is_started: bool) -> Iterator[Coroutine[Any, Any, None]]:
        """The programs that run beside the lanes."""
        plan = self._round.plan
        if plan.is_logged:
            yield self._change_log_level()
        for home in self._round.homes:
            if plan.is_disturbed:
                yield self._change_subscriptions(home)
            if plan.features:
                yield self._cancel_handlers(home)
            if is_started and (plan.is_disturbed or plan.raise_unhandled):
                yield self._restart(home)
            if is_started and self._random.random() < TAKE_BESIDE:
                yield self._take_beside(home)

    @property
    def _goes_on(self) -> bool:
        return not self.is_ending and not self._round.is_closing

    async def stop(self, home: TrackedRuntime, call: Coroutine[Any, Any, None]) -> None:
        """Await a call that stops a runtime, which may raise the error that halted it."""
        home.is_down = True
        try:
            await call
        except EXPECTED as error:
            home.used["stop: raises the error that halted the runtime"] += 1
            if not is_known(home, error):
                home.ledger.violate("stop: an error that no handler raised", None, error)
        except LookupError:
            pass  # the subscription of an agent type that is not registered
        home.stops += 1
        # The runtime may learn of an error after this stop, and raise it at the next one.
        home.unhandled_before = home.unhandled.copy()
        home.unhandled.clear()
        home.is_down = home.is_closing

    async def _restart(self, home: TrackedRuntime) -> None:
        while self._goes_on:
            halts = bool(home.raise_unhandled and home.unhandled)
            if halts or self._random.random() < 0.05:
                home.used["stop and start"] += 1
                home.stops += 1
                await self.stop(home, self._stopping(home))
                if self._random.random() < 0.5:
                    await asyncio.sleep(self._random.choice((0.001, 0.01)))
                if not self._round.is_closing:
                    home.runtime.start()
            await asyncio.sleep(0.004)

    def _stopping(self, home: TrackedRuntime) -> Coroutine[Any, Any, None]:
        if self._random.random() < 0.2:
            deadline = self._round.loop.time() + 0.05
            home.used["stop_when"] += 1
            return home.runtime.stop_when(lambda: self._round.loop.time() >= deadline)
        return home.runtime.stop()

    async def _cancel_handlers(self, home: TrackedRuntime) -> None:
        ledger, random = home.ledger, self._random
        while self._goes_on:
            await asyncio.sleep(random.choice((0.003, 0.02)))
            agent_id = random.choice(home.ids)
            key = str(agent_id)
            runs = ledger.runs_of(home, key)
            if random.random() < 0.5 and not runs:
                continue
            for entry in ledger.entries.values():
                is_here = str(entry.to) == key or key in entry.starts or key in entry.fan
                if entry.home is not home:
                    continue
                # Senders may have left, and publishers do not wait for the handlers.
                is_direct_and_begun = entry.is_direct and bool(entry.starts)
                is_open = entry.end is None or entry.running > 0 or not is_direct_and_begun
                entry.is_cancelled |= is_open and (is_here or not entry.is_direct)
            for run in runs:
                run.entry.is_cancelled = True
                run.cancelled_at = self._round.loop.time()
            count = home.runtime.cancel(agent_id)
            home.used["cancel: agents"] += 1
            home.used["cancel: running handlers of agents"] += count
            if count < len(runs):
                ledger.violate(f"cancel: {count} handlers instead of {len(runs)}", None, key)

    async def _change_log_level(self) -> None:
        while self._goes_on:
            self._round.used["mode: INFO log on or off"] += 1
            set_log_level(is_informing=self._random.random() < 0.5)
            await asyncio.sleep(0.02)
        set_log_level(is_informing=False)

    async def _change_subscriptions(self, home: TrackedRuntime) -> None:
        random = self._random
        kinds = [kind for kind in home.types.values() if kind.factory != "instance"]
        while self._goes_on:
            if random.random() < 0.5 and kinds:
                name, topic = random.choice(kinds).name, random.choice(("t", "tt", "u"))
                custom = CustomSubscription(
                    f"custom-{home.version}", topic, random.choice(home.ids)
                )
                by_pattern = WildcardSubscription(random.choice(("*", ">", "t.*", "t.>")), name)
                by_type, by_prefix = (
                    TypeSubscription(topic, name),
                    TypePrefixSubscription(topic, name),
                )
                one: Subscription = random.choice((by_type, by_prefix, by_pattern, custom))
                if sum(old.removed is None for old in home.subscriptions) < 10:
                    await self._round.add_subscription(home, one)
            else:
                await self._remove(home)
            await asyncio.sleep(random.choice((0.002, 0.02)))

    async def _remove(self, home: TrackedRuntime) -> None:
        present = [
            one
            for one in home.subscriptions
            if one.removed is None and not isinstance(one.subscription, RaisingSubscription)
        ]
        if present:
            chosen = self._random.choice(present)
            await home.runtime.remove_subscription(chosen.subscription.id)
            home.version += 1
            chosen.removed = home.version
            home.used["subscription: removed"] += 1

    # Messages taken by hand.

    async def take_by_hand(self, home: TrackedRuntime) -> None:
        """Take messages by hand, until it is canceled."""
        while True:
            await self._take(home)

    async def _take_beside(self, home: TrackedRuntime) -> None:
        """Take messages by hand beside a started runtime."""
        while self._goes_on:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._take(home), 0.002)
            await asyncio.sleep(0.005)

    async def _take(self, home: TrackedRuntime) -> None:
        home.used["process_next"] += 1
        try:
            await home.runtime.process_next()
        except EXPECTED as error:
            if isinstance(error, RuntimeStoppedError) and home.is_closing:
                await asyncio.sleep(0.001)  # a closed runtime takes no messages
                return
            if is_known(home, error, may_be_cancelled=_may_be_cancelled()):
                return  # also the cancellation of a handler
            if isinstance(error, asyncio.CancelledError):
                raise
            home.ledger.violate("process_next: an error that no handler raised", None, error)
        except LookupError:
            pass  # the subscription of an agent type that is not registered


def _may_be_cancelled() -> bool:
    """Whether the current task is being cancelled, which is unknown before CPython 3.11."""
    task: Any = asyncio.current_task()
    return not hasattr(task, "cancelling") or task.cancelling() > 0


def is_known(home: TrackedRuntime, error: BaseException, *, may_be_cancelled: bool = False) -> bool:
    """Whether an error is one that may halt the runtime, and no cancellation of who awaits it."""
    is_of_runtime = isinstance(error, _OF_RUNTIME) or (
        isinstance(error, asyncio.CancelledError) and not may_be_cancelled
    )
    if home.raise_unhandled and is_of_runtime:
        return True
    if any(home.escalates(name) for name in home.types) and not may_be_cancelled:
        return True  # it may have been raised before the stop before this one
    known = (*home.unhandled, *home.unhandled_before)
    return isinstance(error, RoutingError) or any(error is one for one in known)
