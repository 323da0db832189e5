"""Runner of random programs on one package, with a trace of each handler.

A handler's trace is compared as a whole; how the handlers of different messages interleave is not.
"""

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable
from types import ModuleType
from typing import Any

from .programs import KEYS, Program
from .step_values import Order
from .steps import Steps


class Player(Steps):
    """One run of a program."""

    def __init__(self, core: ModuleType, program: Program) -> None:
        super().__init__(core)
        self.program = program
        self.loop_errors: list[str] = []
        self.logged: list[str] = []
        self.rules_broken: list[str] = []

    async def play(self) -> dict[str, Any]:
        """Run the program, and return the observations."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: self.loop_errors.append(loop_error(context)))
        core, program = self.core, self.program
        options: dict[str, Any] = {}
        if program.observed:
            options["intervention_handlers"] = [response_interceptor(core)]
        self.runtime = core.SingleThreadedAgentRuntime(**options)
        await self._set_up()
        with self._logs():
            await self._play_phases()
        await self._settle()
        gc.collect()
        await self._settle(10)
        return {
            "traces": dict(self.traces),
            "loop_errors": sorted(self.loop_errors),
            "logged": sorted(self.logged),
            "rules broken": self.rules_broken,
            "left": self.runtime.unprocessed_messages_count,
            "unfinished": sorted(self.running),
        }

    async def _set_up(self) -> None:
        core, runtime = self.core, self.runtime
        for name, cls in agent_classes(core, self).items():
            await runtime.register_factory(name, lambda cls=cls: cls("acts"))
            for key in KEYS if self.program.built else ():
                await runtime.try_get_underlying_agent_instance(core.AgentId(name, key))
        for topic, name, is_prefix in self.program.subscriptions:
            kind = core.TypePrefixSubscription if is_prefix else core.TypeSubscription
            await runtime.add_subscription(kind(topic, name))

    @contextlib.contextmanager
    def _logs(self) -> Any:
        logged = self.logged

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                logged.append(f"{record.levelname} {type(record.msg).__name__}")

        handler = Handler()
        events, root = (
            logging.getLogger(name)
            for name in (self.core.EVENT_LOGGER_NAME, self.core.ROOT_LOGGER_NAME)
        )
        before = [(one, one.level, one.propagate, list(one.handlers)) for one in (events, root)]
        events.setLevel(logging.INFO if self.program.logged else logging.WARNING)
        root.setLevel(logging.ERROR)
        root.propagate = False
        root.addHandler(handler)
        try:
            yield
        finally:
            for one, level, propagate, handlers in before:
                one.setLevel(level)
                one.propagate, one.handlers = propagate, handlers

    async def _play_phases(self) -> None:
        runtime, program = self.runtime, self.program
        is_started, tasks = False, []
        for number, phase in enumerate(program.phases):
            if program.restarted and is_started:
                await runtime.stop()
                runtime.start()
            for index, opening in enumerate(phase):
                where = f"{number}.{index}"
                steps = self._do(None, opening, where, self.traces[f"{where} outside"])
                tasks.append(asyncio.ensure_future(steps))
                if not is_started and program.by_hand:
                    await self._settle(5)
                    if runtime.unprocessed_messages_count:
                        await runtime.process_next()
                    continue
                if not is_started:
                    runtime.start()
                    is_started = True
            if not is_started:
                runtime.start()
                is_started = True
            await self._settle()
        for gate in [*self.gates, self.never]:
            await gate.open()
            await self._settle()
        stuck = [task for task in tasks if not task.done()]
        if stuck:
            self.rules_broken.append(f"{len(stuck)} openings hang")
            for task in stuck:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await runtime.stop()
        self._look_for_overtaking()

    def _look_for_overtaking(self) -> None:
        """An agent starts messages in the order in which they were sent and published."""
        times = {where: time for time, where in enumerate(self.accepted)}
        for agent_id, begun in self.begun.items():
            order = [times[where] for where in begun if where in times]
            if order != sorted(order):
                self.rules_broken.append(f"{agent_id} began {begun}, sent as {self.accepted}")

    async def _settle(self, iterations: int = 60) -> None:
        """Run the event loop until nothing changes any more."""
        while True:
            before = self.moves
            for _ in range(iterations):
                await asyncio.sleep(0)
            if self.moves == before and not self.timers:
                return


def response_interceptor(core: ModuleType) -> Any:
    """An intervention handler that replaces the response None."""

    class ResponseInterceptor(core.DefaultInterventionHandler):
        async def on_response(self, message: Any, *, sender: Any, recipient: Any) -> Any:
            return "nothing" if message is None else message

    return ResponseInterceptor()


def loop_error(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return f"{context.get('message')}: {type(error).__name__}"


def agent_classes(core: ModuleType, player: Player) -> dict[str, Any]:
    """Agents that are invoked in different ways."""

    class Routed(core.RoutedAgent):
        @core.message_handler
        async def handle(self, message: Order, ctx: core.MessageContext) -> Any:  # type: ignore[name-defined]
            return await player.handle(self, message, ctx)

    class Generic(core.BaseAgent):
        async def on_message_impl(self, message: Any, ctx: Any) -> Any:
            return await player.handle(self, message, ctx)

    class Whole(core.BaseAgent):
        async def on_message(self, message: Any, ctx: Any) -> Any:
            return await player.handle(self, message, ctx)

        async def on_message_impl(self, message: Any, ctx: Any) -> Any:
            raise AssertionError("on_message is its own")

    return {"routed": Routed, "generic": Generic, "whole": Whole}


def run(core: ModuleType, program: Program, loop: Callable[[], Any]) -> Any:
    """Run a program in its own event loop, created by the given function."""

    async def play() -> Any:
        return await Player(core, program).play()

    own = loop()
    try:
        return own.run_until_complete(play())
    finally:
        own.close()
