"""The agent types of a runtime: their factories and options."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from ferrogen._core import AgentId, Engine
from ferrogen.agents.agent_type import AgentType
from ferrogen.agents.hooks import activate, deactivate
from ferrogen.agents.instantiation import AGENT_INSTANTIATION_CONTEXT, AgentInstantiationContext
from ferrogen.agents.options import AgentOptions
from ferrogen.exceptions import AgentNotFoundError
from ferrogen.logging import AgentConstructionExceptionEvent
from ferrogen.runtime.failures.guards import Guards
from ferrogen.runtime.log import log
from ferrogen.runtime.protocols import Agent
from ferrogen.telemetry.names import EVENT_LOGGER_NAME, ROOT_LOGGER_NAME

if TYPE_CHECKING:
    from ferrogen.runtime.protocols import AgentRuntime

__all__ = ["AgentTable", "Factory"]

Factory = Callable[[], Agent | Awaitable[Agent]]

_logger = logging.getLogger(ROOT_LOGGER_NAME)
_events = logging.getLogger(EVENT_LOGGER_NAME)


class AgentTable:
    """Factories and options by agent type. The engine has the instances.

    Args:
        runtime: The runtime of the agents.
    """

    engine: Engine
    guards: Guards

    def __init__(self, runtime: AgentRuntime) -> None:
        self._runtime = runtime
        self._factories: dict[str, Factory | None] = {}
        self._expected: dict[str, type[Any]] = {}
        self._options: dict[str, AgentOptions] = {}

    def is_registered(self, agent_type: str) -> bool:
        """Whether there is a factory or an instance of this type."""
        return agent_type in self._factories

    def has_instances(self, agent_type: str) -> bool:
        """Whether the agents of this type were registered as instances."""
        return agent_type in self._factories and self._factories[agent_type] is None

    def registered(self) -> list[str]:
        """The agent types, in the order of registering."""
        return list(self._factories)

    def expected_class(self, agent_type: str) -> type[Agent] | None:
        """The class that an agent type was registered with, if it is known."""
        return self._expected.get(agent_type)

    def add_factory(self, agent_type: str, factory: Factory, expected: type[Any] | None) -> None:
        """Register the factory of an agent type.

        Raises:
            ValueError: If the type is registered already.
        """
        if agent_type in self._factories:
            # AutoGen's words, which show the type as an object.
            raise ValueError(f"Agent with type {AgentType(agent_type)} already exists.")
        self._factories[agent_type] = factory
        if expected is not None:
            self._expected[agent_type] = expected

    async def add_instance(self, agent: Agent, agent_id: AgentId) -> None:
        """Register an agent that exists already. Agents of one such type share one class.

        Raises:
            ValueError: If the id is taken, its type has a factory, or the class is another one.
        """
        agent_type = agent_id.type
        # The words of these errors are AutoGen's: programs match on them.
        if self.engine.instance(agent_id) is not None:
            raise ValueError(f"Agent with id {agent_id} already exists.")
        if agent_type in self._factories:
            if self._factories[agent_type] is not None:
                raise ValueError(
                    "Agent factories and agent instances cannot be registered to the same type."
                )
            if self._expected[agent_type] is not type(agent):
                raise ValueError("Agent instances must be the same object type.")
        _refuse_for_instances(agent_type, self.options(agent_type))
        await agent.bind_id_and_runtime(id=agent_id, runtime=self._runtime)
        await activate(agent)
        self.engine.enter(agent_id, agent)
        self._factories[agent_type] = None
        self._expected[agent_type] = type(agent)

    def set_options(self, agent_type: str, options: AgentOptions) -> None:
        """Set the options of the agents of a type.

        Raises:
            ValueError: They restart or limit agents that have no factory.
        """
        if self.has_instances(agent_type):
            _refuse_for_instances(agent_type, options)
        self.guards.reset(agent_type, self.options(agent_type), options)
        self._options[agent_type] = options
        self.engine.configure(
            agent_type,
            concurrency=options.concurrency if options.order == "concurrent" else 1,
            reentrant=options.order == "reentrant",
            capacity=options.capacity,
            overflow=options.overflow,
            passivate_after=options.passivate_after,
            max_active=options.max_active,
        )

    def options(self, agent_type: str) -> AgentOptions:
        """The options of the agents of a type."""
        return self._options.get(agent_type, _DEFAULTS)

    async def construct(self, agent_id: AgentId, begun: Awaitable[Agent] | None = None) -> Agent:
        """Make an agent with its factory, which finds its id in `AgentInstantiationContext`.

        Args:
            agent_id: The agent.
            begun: The return value of `call_factory_for`, if it was called already.

        Raises:
            AgentNotFoundError: If nothing is registered under the type.
            TypeError: If the factory returns `None`.
            ValueError: If the factory makes another class than the one it was registered with.
            BaseException: Whatever the factory raises.
        """
        try:
            with AgentInstantiationContext.populate_context((self._runtime, agent_id)):
                made = self._call_factory(agent_id) if begun is None else begun
                agent = await made if inspect.isawaitable(made) else made
            self.check(agent_id, agent)
            await self._activate(agent_id, agent)
            return agent
        except BaseException as error:
            self.log_failure(agent_id, error)
            raise

    @staticmethod
    async def _activate(agent_id: AgentId, agent: Agent) -> None:
        try:
            await activate(agent)
        except BaseException:
            await close_logged(agent_id, agent, was_active=False)
            raise

    def call_factory_for(self, agent_id: AgentId) -> Agent | Awaitable[Agent]:
        """Call the factory of an agent, in a context that is not used afterwards.

        Raises:
            AgentNotFoundError: If nothing is registered under the type.
            BaseException: Whatever the factory raises.
        """
        AGENT_INSTANTIATION_CONTEXT.set((self._runtime, agent_id))
        return self._call_factory(agent_id)

    def log_failure(self, agent_id: AgentId, error: BaseException) -> None:
        """Log that an agent could not be made, unless that was cancelled: the runtime closes."""
        if isinstance(error, asyncio.CancelledError):
            return
        if _events.isEnabledFor(logging.INFO):
            event = AgentConstructionExceptionEvent(agent_id=agent_id, exception=error)
            log(_events, logging.INFO, event)
        # AutoGen's words, which programs match on.
        log(_logger, logging.ERROR, "Error constructing agent %s", agent_id, exc_info=error)

    def _call_factory(self, agent_id: AgentId) -> Agent | Awaitable[Agent]:
        agent_type = agent_id.type
        if agent_type not in self._factories:
            raise not_registered(agent_id)
        factory = self._factories[agent_type]
        if factory is None:
            raise RuntimeError(
                f'agent type "{agent_type}" has only registered instances, and {agent_id} is not '
                "one of them; most likely the type is subscribed to a topic whose source is not "
                "the key of an instance. Messages go to the agent that has the topic's source as "
                "its key: register that instance, or leave out the class subscriptions "
                "(skip_class_subscriptions)"
            )
        return factory()

    def check(self, agent_id: AgentId, agent: Agent | None) -> Agent:
        """Check what a factory has made against what it was registered to make.

        Raises:
            TypeError: If it is `None`.
            ValueError: If it is of another class.
        """
        agent_type = agent_id.type
        if agent is None:
            raise TypeError(f'the factory of agent type "{agent_type}" returned None, not an agent')
        expected = self._expected.get(agent_type)
        if expected is not None and not isinstance(agent, expected):
            # AutoGen's words, which programs match on.
            raise ValueError(
                f"Factory registered using the wrong type: expected {expected.__name__}, "
                f"got {type(agent).__name__}"
            )
        return agent


_DEFAULTS = AgentOptions()


def _refuse_for_instances(agent_type: str, options: AgentOptions) -> None:
    """Refuse options by which agents are built again that were registered as instances.

    Raises:
        ValueError: The options have a supervision that restarts agents, or a limit.
    """
    if options.max_active is not None:
        raise ValueError(
            f'max_active must be None for agent type "{agent_type}", whose agents are registered '
            f"as instances; got {options.max_active}. There is no factory that builds an agent "
            "again which is not in memory. Register a factory"
        )
    supervision = options.supervision
    if supervision is not None and supervision.on_failure == "restart":
        raise ValueError(
            f'supervision must not have on_failure="restart" for agent type "{agent_type}", whose '
            "agents are registered as instances: there is no factory that builds a new one. "
            'Register a factory, or use "resume", "stop" or "escalate"'
        )


def not_registered(agent_id: AgentId) -> AgentNotFoundError:
    """The error for an agent type that is not registered."""
    # AutoGen's words, which programs match on.
    return AgentNotFoundError(f"Agent with name {agent_id.type} not found.")


async def close_logged(agent_id: AgentId, agent: Agent, *, was_active: bool = True) -> None:
    """Close an agent. An error is logged: nothing else can be done with it.

    Args:
        agent_id: The agent.
        agent: The instance.
        was_active: Whether `on_deactivate` is called before.
    """
    try:
        await (deactivate(agent) if was_active else agent.close())
    except Exception as error:  # noqa: BLE001 - it is logged
        text = "closing agent %s failed"
        log(_logger, logging.ERROR, text, agent_id, exc_info=error)
