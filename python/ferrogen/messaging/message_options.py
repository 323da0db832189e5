"""The options of a message, besides its address, and its priority."""

from __future__ import annotations

from enum import IntEnum
from typing import TypedDict

from ferrogen.agents.retry_policy import RetryPolicy

__all__ = ["MessageOptions"]


class MessageOptions(TypedDict, total=False):
    """Further arguments of `send_message` and `publish_message`, all optional.

    Example:
        ```python
        from ferrogen import MessageOptions, Priority

        urgent: MessageOptions = {"priority": Priority.HIGH, "timeout": 2.0}
        ```
    """

    priority: int
    """From -2 (lowest) to 2 (highest), among the messages that are queued; see `Priority`."""
    fairness_key: str | None
    """Queued messages of one priority with different keys take turns."""
    timeout: float | None
    """After how many seconds the message expires: in a queue it is dropped, and a handler that runs
    is cancelled. What the handler sends inherits the deadline."""
    delay: float | None
    """How many seconds later the message is queued."""
    retry: RetryPolicy | None
    """How a handler that fails is called again, in place of the policy of its agent type."""
    max_hops: int | None
    """How many messages its chain has at most, from this one on: a handler that sends one too many
    gets a `HopLimitError`."""


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
