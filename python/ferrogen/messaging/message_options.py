"""The options of a message, besides its address."""

from __future__ import annotations

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
