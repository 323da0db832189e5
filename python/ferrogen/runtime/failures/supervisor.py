"""The supervisor: resumes, restarts or stops agents that have failed, or halts the runtime."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextvars import Context
from typing import Any

from ferrogen._core import AgentId
from ferrogen.agents.hooks import restarted
from ferrogen.agents.option_checks import is_final
from ferrogen.agents.supervision import Supervision
from ferrogen.exceptions import AgentStoppedError
from ferrogen.runtime.dead_letters.letter import without_traceback
from ferrogen.runtime.instances.agent_states import AgentStates
from ferrogen.runtime.instances.agent_table import AgentTable, close_logged
from ferrogen.runtime.log import log
from ferrogen.runtime.protocols import Agent
from ferrogen.telemetry.names import ROOT_LOGGER_NAME

__all__ = ["Supervisor"]

_logger = logging.getLogger(ROOT_LOGGER_NAME)


class _Supervised:
    """An agent that can be restarted or stopped.

    The engine keeps the first instance of the agent; this is the present one.
    """

    def __init__(self, instance: Agent | None) -> None:
        self.instance = instance
        self.running: Counter[int] = Counter()
        """How many handlers run, by the identity of the instance."""
        self.retired: dict[int, Agent] = {}
        """Instances that are closed when their handlers have ended."""
        self.restart: asyncio.Task[None] | None = None
        """The restart in progress: messages wait for its end."""
        self.places: deque[_Place] = deque()
        """The messages that wait, in the order in which they are handled afterwards."""
        self.restarts: deque[float] = deque()
        self.error: BaseException | None = None
        """The error that has stopped the agent."""


class _Place:
    """The place of a message in a queue."""

    def __init__(self) -> None:
        self.turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Supervisor:
    """Gets the failures of agents, and has the present instances of those that were restarted.

    Args:
        agents: Builds new instances.
        halt: Halts the runtime with an error.
        context: Returns the context in which the runtime was started.
        kept: Holds the tasks of restarts, which are cancelled when the runtime closes.
        states: Restores agents that were passivated.
    """

    def __init__(
        self,
        agents: AgentTable,
        halt: Callable[[BaseException], None],
        context: Callable[[], Context],
        kept: set[asyncio.Task[None]],
        states: AgentStates,
    ) -> None:
        self._states = states
        self._agents = agents
        self._halt = halt
        self._context = context
        self._kept = kept
        self._supervised: dict[AgentId, _Supervised] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self.count_restart: Callable[[str], None]
        """Counts a new instance of a type, for the statistics."""

    def tracks(self, agent_id: AgentId) -> bool:
        """Whether an agent may be restarted or stopped, or was."""
        on_failure = self._supervision(agent_id.type).on_failure
        return on_failure in ("restart", "stop") or agent_id in self._supervised

    def _supervision(self, agent_type: str) -> Supervision:
        return self._agents.options(agent_type).supervision or _RESUME

    # Messages.

    async def admit(self, agent_id: AgentId, agent: Agent) -> Agent:
        """Return the instance that handles a message; wait while the agent is being restarted.

        Report its end with `leave`.

        Args:
            agent_id: The agent.
            agent: The instance that the engine has.

        Raises:
            AgentStoppedError: The agent has been stopped.
        """
        one = self._supervised.get(agent_id)
        if one is None:
            if not self.tracks(agent_id):
                return agent
            one = self._supervised[agent_id] = _Supervised(agent)
        instance = await self._wait(agent_id, one)
        one.running[id(instance)] += 1
        return instance

    def leave(self, agent_id: AgentId, instance: Agent) -> None:
        """Report that a handler has ended."""
        one, key = self._supervised.get(agent_id), id(instance)
        if one is None or key not in one.running:
            return
        one.running[key] -= 1
        if one.running[key] == 0:
            del one.running[key]
            if key in one.retired:
                closing = close_logged(agent_id, one.retired.pop(key))
                _ = self._start(closing, self._closing)

    def failed(self, agent_id: AgentId, instance: Agent, error: BaseException) -> None:
        """A handler has raised in its last attempt."""
        supervision = self._supervision(agent_id.type)
        if is_final(error) or supervision.on_failure == "resume":
            return
        if supervision.on_failure == "escalate":
            self._halt(error)
            return
        one = self._supervised.get(agent_id)
        if one is None or one.instance is not instance or one.restart is not None:
            return  # its successor is not affected
        if self._may_restart(one, supervision):
            work = self._restart(agent_id, one, instance, error, supervision)
            one.restart = self._start(work, self._kept)
        else:
            self._stop(agent_id, one, error)
            one.retired[id(instance)] = instance

    # Construction.

    async def construct(self, agent_id: AgentId, begun: Awaitable[Agent] | None) -> Agent:
        """Build an agent; again, if it has failed and its type is restarted.

        Raises:
            AgentStoppedError: The agent has been stopped.
            BaseException: The error of the last attempt.
        """
        one = self._supervised.get(agent_id)
        if one is not None and one.error is not None:
            raise _stopped(agent_id, one.error)
        while True:
            try:
                agent = await self._construct(agent_id, begun)
            except BaseException as error:  # noqa: PERF203 - each attempt can fail
                begun = None
                if not self.build_failed(agent_id, error):
                    raise
            else:
                one = self._supervised.get(agent_id)
                if one is not None:
                    one.instance = agent
                return agent

    async def _construct(self, agent_id: AgentId, begun: Awaitable[Agent] | None) -> Agent:
        agent = await self._agents.construct(agent_id, begun)
        try:
            await self._states.restore(agent_id, agent)
        except BaseException as error:
            self._agents.log_failure(agent_id, error)
            await close_logged(agent_id, agent)
            raise
        return agent

    def build_failed(self, agent_id: AgentId, error: BaseException) -> bool:
        """An agent could not be built. Return whether it is to be built again."""
        supervision = self._supervision(agent_id.type)
        if is_final(error) or supervision.on_failure == "resume":
            return False
        if supervision.on_failure == "escalate":
            self._halt(error)
            return False
        one = self._supervised.setdefault(agent_id, _Supervised(None))
        if self._may_restart(one, supervision):
            return True
        self._stop(agent_id, one, error)
        return False

    # Instances.

    def current(self, agent_id: AgentId, agent: Agent | None) -> Agent | None:
        """Return the present instance of an agent, of which the engine has this one."""
        one = self._supervised.get(agent_id)
        return agent if one is None or agent is None else one.instance

    async def present(self, agent_id: AgentId, agent: Agent) -> Agent:
        """Return the present instance of an agent; wait while it is being restarted.

        Raises:
            AgentStoppedError: The agent has been stopped.
        """
        one = self._supervised.get(agent_id)
        return agent if one is None else await self._wait(agent_id, one)

    async def settled(self, agent_id: AgentId, agent: Agent) -> Agent | None:
        """Return the present instance of an idle agent, after the restart in progress.

        Returns:
            The instance; None if the agent was stopped, and needs no closing.
        """
        one = self._supervised.get(agent_id)
        while one is not None and one.restart is not None:
            if one.restart is asyncio.current_task():
                break  # a hook of the agent asks
            _ = await asyncio.wait({one.restart})
        return agent if one is None else one.instance

    def forget(self, agent_id: AgentId) -> None:
        """An idle agent is about to be closed. That it was stopped is not forgotten.

        That it was restarted is forgotten when it does not count any more.
        """
        one = self._supervised.get(agent_id)
        if one is None:
            return
        one.instance = None
        if one.restarts:
            expiry = one.restarts[-1] + self._supervision(agent_id.type).within
            _ = asyncio.get_running_loop().call_at(expiry, self._drop, agent_id, one)
        else:
            self._drop(agent_id, one)

    def _drop(self, agent_id: AgentId, one: _Supervised) -> None:
        is_absent = one.instance is None and one.restart is None and one.error is None
        if is_absent and self._supervised.get(agent_id) is one:
            del self._supervised[agent_id]

    async def finish(self) -> None:
        """Wait until the instances are closed that were replaced or stopped."""
        while self._closing:
            await asyncio.wait(self._closing)

    async def _wait(self, agent_id: AgentId, one: _Supervised) -> Agent:
        if one.restart is not None or one.places:
            place = _Place()
            one.places.append(place)
            try:
                await place.turn
                while one.restart is not None:
                    place.turn = asyncio.get_running_loop().create_future()
                    await place.turn
            finally:
                one.places.remove(place)
                _wake(one)
        if one.instance is None:
            raise _stopped(agent_id, one.error)
        return one.instance

    # Restarting and stopping.

    def _may_restart(self, one: _Supervised, supervision: Supervision) -> bool:
        if supervision.on_failure != "restart":
            return False
        now = asyncio.get_running_loop().time()
        while one.restarts and now - one.restarts[0] >= supervision.within:
            one.restarts.popleft()
        if len(one.restarts) >= supervision.max_restarts:
            return False
        one.restarts.append(now)
        return True

    def _stop(self, agent_id: AgentId, one: _Supervised, error: BaseException) -> None:
        one.error = without_traceback(error)
        one.instance = None
        log(_logger, logging.ERROR, "agent %s is stopped after %r", agent_id, error)

    async def _restart(
        self,
        agent_id: AgentId,
        one: _Supervised,
        old: Agent,
        error: BaseException,
        supervision: Supervision,
    ) -> None:
        log(_logger, logging.WARNING, "agent %s is restarted after %r", agent_id, error)
        saved: Mapping[str, Any] | None = None
        try:
            while True:
                try:
                    if supervision.keep_state and saved is None:
                        saved = await old.save_state()
                    await self._retire(agent_id, one, old)
                    one.instance = await self._replace(agent_id, saved, error)
                    self.count_restart(agent_id.type)
                except Exception as failure:  # noqa: BLE001 - the agent is restarted or stopped
                    if self._may_restart(one, supervision):
                        continue
                    await self._retire(agent_id, one, old)
                    self._stop(agent_id, one, failure)
                return
        except asyncio.CancelledError:
            # The runtime closes. The agent stays without an instance, as if it had been stopped.
            if one.instance is None:
                one.error = without_traceback(error)
                if saved:
                    await self._states.keep(agent_id, saved)
            raise
        finally:
            one.restart = None
            _wake(one)

    async def _replace(
        self, agent_id: AgentId, saved: Mapping[str, Any] | None, error: BaseException
    ) -> Agent:
        agent = await self._agents.construct(agent_id)
        try:
            if saved:  # an agent without a state has nothing to load
                await agent.load_state(saved)
            await restarted(agent, error)
        except BaseException as failure:
            log(_logger, logging.ERROR, "restarting %s failed", agent_id, exc_info=failure)
            await close_logged(agent_id, agent)
            raise
        return agent

    async def _retire(self, agent_id: AgentId, one: _Supervised, old: Agent) -> None:
        """Close an instance, now or when its handlers have ended. A second call does nothing."""
        if one.instance is not old:
            return
        one.instance = None
        if id(old) in one.running:
            one.retired[id(old)] = old
        else:
            await close_logged(agent_id, old)

    def _start(
        self, work: Coroutine[Any, Any, None], tasks: set[asyncio.Task[None]]
    ) -> asyncio.Task[None]:
        loop = asyncio.get_running_loop()
        task: asyncio.Task[None] = self._context().copy().run(loop.create_task, work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return task


_RESUME = Supervision()


def _wake(one: _Supervised) -> None:
    """Let the messages go on that wait, unless there is a restart again."""
    if one.restart is None:
        for place in one.places:
            if not place.turn.done():
                place.turn.set_result(None)


def _stopped(agent_id: AgentId, error: BaseException | None) -> AgentStoppedError:
    return AgentStoppedError(
        f"agent {agent_id} is stopped, because it has failed: {error!r}. Its supervision decides "
        "that: see AgentOptions(supervision=...)"
    )
