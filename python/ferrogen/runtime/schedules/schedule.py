"""Schedules: messages that are sent or published again and again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import datetime
from typing import Any

from ferrogen.exceptions import RuntimeStoppedError
from ferrogen.runtime.log import log
from ferrogen.runtime.schedules.times import Times
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

__all__ = ["Schedule", "Scheduler"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)


class Schedule:
    """A message that is sent or published again and again; `runtime.schedule` returns it.

    To be used in the thread of the event loop, inside handlers or outside.

    Args:
        name: Message type and recipient, for logs.
        send: Sends or publishes the message.
        times: When.
        count: How many times, or None for no limit.
        get_context: Returns the context that messages are sent in.
        on_end: Called when the schedule has ended.

    Example:
        ```python
        import asyncio
        from dataclasses import dataclass

        from ferrogen import (
            AgentId,
            MessageContext,
            RoutedAgent,
            Schedule,
            SingleThreadedAgentRuntime,
            message_handler,
        )


        @dataclass
        class Tick:
            pass


        class Counter(RoutedAgent):
            count = 0

            @message_handler
            async def on_tick(self, message: Tick, ctx: MessageContext) -> None:
                self.count += 1


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await Counter.register(runtime, "counter", lambda: Counter("counts"))
            async with runtime:
                one = AgentId("counter", "one")
                schedule: Schedule = runtime.schedule(Tick(), one, every=0.01, count=3)
                await schedule.wait()
                counter = await runtime.try_get_underlying_agent_instance(one, Counter)
                assert counter.count == schedule.sent == 3


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen"

    def __init__(
        self,
        name: str,
        send: Callable[[], Coroutine[Any, Any, Any]],
        times: Times,
        count: int | None,
        *,
        get_context: Callable[[], Context],
        on_end: Callable[[Schedule], object],
    ) -> None:
        self._name = name
        self._send = send
        self._times = times
        self._count = count
        self._get_context = get_context
        self._on_end = on_end
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._sent = 0
        self._go_on()

    def __repr__(self) -> str:
        state = f"next at {self.next_time}" if self._timer else "sending"
        return (
            f"<Schedule of {self._name}: {self._sent} sent, {state if self.is_active else 'ended'}>"
        )

    @property
    def is_active(self) -> bool:
        """Whether another message may be sent."""
        return not self._ended.done()

    @property
    def next_time(self) -> datetime | None:
        """When the next message is due; None at the end, and while a message is being sent."""
        return None if self._timer is None else self._times.date()

    @property
    def sent(self) -> int:
        """How many messages were sent or published, including those that failed."""
        return self._sent

    @property
    def skipped(self) -> int:
        """How many times have passed without a message, as the one before had not been handled."""
        return self._times.skipped

    def cancel(self) -> None:
        """End the schedule. A message that is being handled is not cancelled."""
        if self._ended.done():
            return
        self._ended.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._on_end(self)

    async def wait(self) -> None:
        """Wait until the schedule has ended: by its count, by `cancel`, or with the runtime."""
        await asyncio.shield(self._ended)

    def _go_on(self) -> None:
        if self._sent == self._count:
            self.cancel()
        elif self.is_active:
            self._times.advance()
            self._set_timer()

    def _set_timer(self) -> None:
        self._timer = self._loop.call_at(self._times.wake_at(), self._wake)

    def _wake(self) -> None:
        if not self._times.is_due():
            self._set_timer()
            return
        self._timer = None
        self._sent += 1
        task: asyncio.Task[None] = (
            self._get_context().copy().run(self._loop.create_task, self._deliver())
        )
        _sending.add(task)
        task.add_done_callback(self._delivered)

    async def _deliver(self) -> None:
        await self._send()

    def _delivered(self, task: asyncio.Task[None]) -> None:
        _sending.discard(task)
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if isinstance(error, (RuntimeStoppedError, KeyboardInterrupt, SystemExit)):
            self.cancel()
        if error is not None:
            text = "the schedule of %s: message %s failed"
            log(_logger, logging.ERROR, text, self._name, self._sent, exc_info=error)
        self._go_on()


_sending: set[asyncio.Task[None]] = set()
"""Scheduled messages that are being handled: asyncio has only weak references to tasks."""


class Scheduler:
    """The schedules of a runtime.

    Args:
        get_context: Returns the context that the runtime was started in.
    """

    def __init__(self, get_context: Callable[[], Context]) -> None:
        self._get_context = get_context
        self._schedules: set[Schedule] = set()

    def add(
        self,
        name: str,
        send: Callable[[], Coroutine[Any, Any, Any]],
        times: Times,
        count: int | None,
    ) -> Schedule:
        """Start a schedule.

        Raises:
            ValueError: The count is out of range.
        """
        if count is not None and (type(count) is not int or count < 1):
            raise ValueError(
                f"count must be a whole number of at least 1, or None for no limit; got {count!r}"
            )
        schedule = Schedule(
            name,
            send,
            times,
            count,
            get_context=self._get_context,
            on_end=self._schedules.discard,
        )
        self._schedules.add(schedule)
        return schedule

    def cancel_all(self) -> None:
        """End all schedules."""
        for schedule in tuple(self._schedules):
            schedule.cancel()
