"""Agent options own how a runtime treats the agents of one type beyond delivering to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeVar

if TYPE_CHECKING:
    from ferrogen._agents.base import BaseAgent

BaseAgentType = TypeVar("BaseAgentType", bound="BaseAgent")


@dataclass(frozen=True, kw_only=True)
class AgentOptions:
    """How a runtime treats the agents of one type. The defaults are those of AutoGen.

    Example:
        ```python
        from ferrogen import AgentOptions

        options = AgentOptions(concurrency=1, capacity=100, overflow="drop_oldest")
        ```

    Raises:
        ValueError: An option has a value that makes no sense.
    """

    concurrency: int | None = None
    """How many messages one agent handles at the same time; 1 is one after the other, None is
    no limit."""

    capacity: int | None = None
    """How many messages may wait for one agent, because it is busy or being built; None is no
    limit."""

    overflow: Literal["reject", "drop_oldest"] = "reject"
    """What happens to a message that finds the mailbox full: it is refused, or takes the place of
    the one that has waited longest."""

    passivate_after: float | None = None
    """After how many seconds without a message an idle agent is closed and forgotten; its next
    message builds it anew. None is never."""

    def __post_init__(self) -> None:
        for name, value in (("concurrency", self.concurrency), ("capacity", self.capacity)):
            if value is not None and (type(value) is not int or value < 1):
                raise ValueError(
                    f"{name} must be a whole number of at least 1, or None for no limit; "
                    f"got {value!r}"
                )
        if self.overflow not in ("reject", "drop_oldest"):
            raise ValueError(f'overflow must be "reject" or "drop_oldest"; got {self.overflow!r}')
        # Written so that "not a number" is refused too.
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
    """Declare on an agent class how runtimes treat its agents; subclasses inherit it.

    The runtime is told when the class is registered with ``register`` or ``register_instance``.

    Example:
        ```python
        from ferrogen import RoutedAgent, agent_options


        @agent_options(concurrency=1)
        class Accountant(RoutedAgent):
            '''Handles one message after the other.'''
        ```

    Args:
        concurrency: How many messages one agent handles at the same time; None is no limit.
        capacity: How many messages may wait for one agent; None is no limit.
        overflow: Whether a message that finds the mailbox full is refused, or takes the place of
            the one that has waited longest.
        passivate_after: After how many idle seconds an agent is closed and forgotten; None is
            never.

    Returns:
        The class decorator.

    Raises:
        ValueError: An option has a value that makes no sense.
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
