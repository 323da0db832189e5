"""Upstream's get_impl, for runtimes written elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ferrogen._core import AgentId

if TYPE_CHECKING:
    from ferrogen.agents.agent_type import AgentType
    from ferrogen.runtime.protocols import Agent


async def get_impl(
    *,
    id_or_type: AgentId | AgentType | str,
    key: str,
    lazy: bool,
    instance_getter: Callable[[AgentId], Awaitable[Agent]],
) -> AgentId:
    """Complete an agent id, and build its agent unless that may wait for its first message.

    Args:
        id_or_type: An id, taken as it is, or an agent type.
        key: The key that makes an id out of a type.
        lazy: Leave the agent alone.
        instance_getter: Builds the agent.

    Returns:
        The id.
    """
    agent_id = id_or_type if isinstance(id_or_type, AgentId) else AgentId(id_or_type, key)
    if not lazy:
        await instance_getter(agent_id)
    return agent_id
