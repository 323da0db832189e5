"""The steps of random programs: the actions of handlers, and their trace entries."""

import asyncio
import contextlib
import sys
from collections import Counter, defaultdict
from collections.abc import Awaitable
from types import ModuleType
from typing import Any

from .cancellation_steps import CancellationSteps
from .gates import Gate
from .local_steps import LocalSteps
from .message_steps import MessageSteps
from .programs import GATES, Script, Step
from .step_values import VARIABLE, Order, describe_error


class Steps(LocalSteps, MessageSteps, CancellationSteps):
    """Runs the steps of scripts, and keeps a trace of each handler."""

    def __init__(self, core: ModuleType) -> None:
        self.core = core
        self.runtime: Any = None
        self.traces: dict[str, list[Any]] = defaultdict(list)
        self.accepted: list[str] = []
        self.begun: dict[str, list[str]] = defaultdict(list)
        self.running: set[str] = set()
        self.tasks: dict[str, Any] = {}
        self.loose: set[asyncio.Task[Any]] = set()
        self.limits: dict[str, Any] = {}
        self.times: Counter[str] = Counter()
        self.memories: dict[int, dict[str, Any]] = {}
        self.timers = 0
        self.moves = 0
        self.gates = [Gate() for _ in range(GATES)]
        self.never = Gate()
        self.reached: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.lock = asyncio.Lock()

    @contextlib.contextmanager
    def _timed(self) -> Any:
        """A timeout is pending: the program is not idle."""
        self.timers += 1
        try:
            yield
        finally:
            self.timers -= 1
            self.moves += 1

    async def handle(self, agent: Any, order: Order, ctx: Any) -> Any:
        """Run the script of a message."""
        path = f"{order.path}@{agent.id}"
        self.times[path] += 1  # an agent with two subscriptions receives a message twice
        path += "!" * (self.times[path] - 1)
        trace = self.traces[path]
        self.moves += 1
        self.begun[str(agent.id)].append(order.path)
        self.running.add(path)
        handled = sys.exc_info()[1]
        trace.append(("begins", str(ctx.sender), str(ctx.topic_id), ctx.is_rpc))
        trace.append(("as", str(self.core.MessageHandlerContext.agent_id()), VARIABLE.get()))
        trace.append(("handles", handled and describe_error(handled)))
        kept: list[Any] = []
        try:
            response = await self.follow(agent, order.script, path, trace, ctx, kept)
        except BaseException as error:
            trace.append(("raises", type(error).__name__, str(error)))
            raise
        else:
            trace.append(("returns", str(response)))
            return response
        finally:
            self.moves += 1
            self.running.discard(path)

    async def follow(
        self, agent: Any, script: Script, path: str, trace: list[Any], ctx: Any, kept: list[Any]
    ) -> Any:
        """Run all steps of a script; its tasks are awaited after the last step."""
        for index, step in enumerate(script.steps):
            where = f"{path}.{index}"
            if step[0] == "return":
                return {
                    "none": None,
                    "error": ValueError("a response"),
                    "tuple": (1, 2),
                    "coroutine": StopIteration(3),
                }[step[1]]
            before = len(trace)
            await self._do(agent, step, where, trace, ctx, kept)
            self.moves += len(trace) - before
        trace.extend([("kept", await self._outcome(task)) for task in kept])
        return path

    async def _outcome(self, work: Awaitable[Any]) -> str:
        try:
            return str(await work)
        except BaseException as error:  # noqa: BLE001 - it is noted
            return describe_error(error)

    async def _do(
        self,
        agent: Any,
        step: Step,
        where: str,
        trace: list[Any],
        ctx: Any = None,
        kept: list[Any] | None = None,
    ) -> None:
        kind, *given = step
        await getattr(self, f"_{kind.replace(' ', '_')}")(
            _Here(self, agent, where, trace, ctx, kept), *given
        )


class _Here:
    """The context of a step."""

    def __init__(
        self, steps: Steps, agent: Any, where: str, trace: list[Any], ctx: Any, kept: Any
    ) -> None:
        self.agent, self.where, self.trace, self.ctx, self.kept = agent, where, trace, ctx, kept
        # The variables of a handler are stored with its trace.
        self.memory = steps.memories.setdefault(id(trace), {})
        self.trace_of_spawn = steps.traces[f"{where} spawned"]
