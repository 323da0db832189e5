"""Hooks of agents: what a runtime calls when an agent is built and before it is closed."""

from __future__ import annotations

from typing import Any

from ferrogen.agents.base import BaseAgent
from ferrogen.runtime.protocols import Agent

__all__ = ["activate", "deactivate", "has_activation", "has_state", "restarted"]


def has_activation(agent: Agent) -> bool:
    """Whether an agent does something when it is activated."""
    return _overrides(agent, "on_activate")


def has_state(agent: Agent) -> bool:
    """Whether an agent can have a state: it saves or loads one."""
    if not isinstance(agent, BaseAgent):
        return True
    return _overrides(agent, "save_state") or _overrides(agent, "load_state")


async def activate(agent: Agent) -> None:
    """Call `on_activate`, if the agent has one of its own."""
    if isinstance(agent, BaseAgent) and _overrides(agent, "on_activate"):
        await agent.on_activate()


async def restarted(agent: Agent, error: BaseException) -> None:
    """Call `on_restart`, if the agent has one."""
    if isinstance(agent, BaseAgent):
        await agent.on_restart(error)


async def deactivate(agent: Agent) -> None:
    """Call `on_deactivate`, if the agent has one of its own, and `close`, even if that raises."""
    try:
        if isinstance(agent, BaseAgent) and _overrides(agent, "on_deactivate"):
            await agent.on_deactivate()
    finally:
        await agent.close()


def _overrides(agent: Agent, name: str) -> bool:
    if not isinstance(agent, BaseAgent):
        return False
    found: Any = getattr(type(agent), name)
    return found is not getattr(BaseAgent, name) or name in vars(agent)
