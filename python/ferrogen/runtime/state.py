"""Saved state: the state of all agents of a runtime, as one JSON-serializable mapping.

The format is AutoGen's: the state of each agent under its id, "type/key". That is version 1, and it
has no version key. A later format will have its version under the reserved key `VERSION_KEY`, so
that this version can reject it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from ferrogen._core import AgentId
from ferrogen.exceptions import StateError

__all__ = ["VERSION_KEY", "load_state"]

VERSION_KEY = "ferrogen.version"


async def load_state(
    state: Mapping[str, Any],
    *,
    is_registered: Callable[[str], bool],
    restore: Callable[[AgentId, Mapping[str, Any]], Awaitable[None]],
) -> None:
    """Restore the state of every agent.

    The whole state is validated before the first agent is changed.

    Args:
        state: The saved state.
        is_registered: Whether an agent type is registered.
        restore: Restores the state of one agent.

    Raises:
        StateError: If the version is unknown, the shape is wrong, or an agent type is not
            registered. The error names it, and no agent was changed.
    """
    agents = [(_agent_id(name), _agent_state(name, value)) for name, value in _entries(state)]
    for agent_id, _ in agents:
        if not is_registered(agent_id.type):
            raise StateError(
                f'the saved state has agent "{agent_id}", but agent type "{agent_id.type}" is not '
                "registered; register it before loading, or take the agent out of the state"
            )
    for agent_id, agent_state in agents:
        await restore(agent_id, agent_state)


def _entries(state: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    if not isinstance(state, Mapping):
        raise StateError(f"a saved state is a mapping, not {type(state).__name__}")
    version = state.get(VERSION_KEY, 1)
    if version != 1:
        raise StateError(
            f"the saved state has version {version!r}, and this Ferrogen reads version 1; "
            "load it with the version that wrote it, or a later one"
        )
    return [(name, value) for name, value in state.items() if name != VERSION_KEY]


def _agent_id(name: str) -> AgentId:
    try:
        return AgentId.from_str(name)
    except (TypeError, ValueError) as error:
        raise StateError(
            f'the saved state has entry {name!r}, which is not an agent id of the form "type/key"'
        ) from error


def _agent_state(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise StateError(
            f"the saved state of agent {name!r} is a mapping, not {type(value).__name__}"
        )
    return value
