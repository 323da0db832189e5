"""Priorities of messages."""

from __future__ import annotations

from enum import IntEnum


class Priority(IntEnum):
    """The priority of a message among those that are queued.

    Messages of one priority are handled in their order. A message is overtaken by messages of
    higher priorities at most 16 times in a row, so that those of low priority make progress, too.

    Example:
        ```python
        from ferrogen import AgentId, Priority, SingleThreadedAgentRuntime


        async def alert(runtime: SingleThreadedAgentRuntime) -> None:
            await runtime.send_message("fire", AgentId("guard", "1"), priority=Priority.HIGHEST)
        ```
    """

    LOWEST = -2
    LOW = -1
    NORMAL = 0
    HIGH = 1
    HIGHEST = 2
