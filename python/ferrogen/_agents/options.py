"""Agent options: concurrency, mailbox capacity, overflow policy and passivation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from ferrogen._agents.base import BaseAgent

BaseAgentType = TypeVar("BaseAgentType", bound="BaseAgent")


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """Options of the agents of one type. The defaults give AutoGen's behavior.

    Example:
        ```python
        from ferrogen import AgentOptions

        options = AgentOptions(concurrency=1, capacity=100, overflow="drop_oldest")
        ```

    Raises:
        ValueError: An option has an invalid value.
    """

    concurrency: int | None = None
    """How many messages one agent handles at the same time; 1 means one after the other, None
    means no limit."""

    capacity: int | None = None
    """How many messages may be queued for one agent that is busy or being built; None means no
    limit."""

    overflow: Literal["reject", "drop_oldest"] = "reject"
    """What happens when the mailbox is full: the new message is rejected, or the oldest queued
    message is dropped."""

    passivate_after: float | None = None
    """After how many seconds without a message an idle agent is closed and removed; its next
    message builds it again. None means never."""

    def __post_init__(self) -> None:
        for name, value in (("concurrency", self.concurrency), ("capacity", self.capacity)):
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(
                    f"{name} must be a whole number of at least 1, or None for no limit; "
                    f"got {value!r}"
                )
        if self.overflow not in ("reject", "drop_oldest"):
            raise ValueError(f'overflow must be "reject" or "drop_oldest"; got {self.overflow!r}')
        # Written so that NaN is rejected too.
        if self.passivate_after is not None and not self.passivate_after > 0:
            raise ValueError(
                "passivate_after must be a number of seconds greater than 0, or None for never; "
                f"got {self.passivate_after!r}"
            )


def agent_options(
    *,
    concurrency: int | None = None,
    capacity: int | None = None,
    overflow: Literal["reject", "drop_oldest"] = "reject",
    passivate_after: float | None = None,
) -> Callable[[type[BaseAgentType]], type[BaseAgentType]]:
    """Declare the options of an agent class; subclasses inherit them.

    The runtime gets them when the class is registered with ``register`` or ``register_instance``.

    Example:
        ```python
        from ferrogen import RoutedAgent, agent_options


        @agent_options(concurrency=1)
        class Accountant(RoutedAgent):
            '''Handles one message after the other.'''
        ```

    Args:
        concurrency: How many messages one agent handles at the same time; None means no limit.
        capacity: How many messages may be queued for one agent; None means no limit.
        overflow: What happens when the mailbox is full: the new message is rejected, or the oldest
            queued message is dropped.
        passivate_after: After how many idle seconds an agent is closed and removed; None means
            never.

    Returns:
        The class decorator.

    Raises:
        ValueError: An option has an invalid value.
    """
    options = AgentOptions(
        concurrency=concurrency,
        capacity=capacity,
        overflow=overflow,
        passivate_after=passivate_after,
    )

    def declare(cls: type[BaseAgentType]) -> type[BaseAgentType]:
        cls.internal_agent_options = options
        return cls

    return declare
