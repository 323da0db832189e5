"""Dead letters: messages that could not be delivered, kept for inspection."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any, overload

from ferrogen._core import AgentId
from ferrogen._messaging.topic import TopicId

__all__ = ["DeadLetter", "DeadLetters"]


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A message that was not delivered.

    Args:
        message: The message itself.
        sender: The agent that sent it; `None` if it came from outside any agent.
        receiver: The agent or the topic that it was addressed to.
        message_id: The id it was sent under, if it had one yet.
        reason: The exception that says why it could not be delivered.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentId, SingleThreadedAgentRuntime
        from ferrogen.exceptions import RecipientNotFoundError


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            try:
                await runtime.send_message("hello", AgentId("nobody", "default"))
            except RecipientNotFoundError:
                pass
            letter = runtime.dead_letters[-1]
            assert letter.message == "hello"
            assert letter.receiver == AgentId("nobody", "default")


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen"

    message: Any
    sender: AgentId | None
    receiver: AgentId | TopicId
    message_id: str | None
    reason: Exception


class DeadLetters(Sequence[DeadLetter]):
    """The newest dead letters of a runtime, oldest first.

    Args:
        most: How many are kept; older ones are dropped, and only counted.
    """

    def __init__(self, most: int = 100) -> None:
        self._letters: deque[DeadLetter] = deque(maxlen=most)
        self._total = 0

    @property
    def total(self) -> int:
        """The number of all dead letters, including dropped ones."""
        return self._total

    def add(self, letter: DeadLetter) -> None:
        """Add a letter; drop the oldest one if there are too many.

        The reason is stored as a copy without a traceback: a traceback would keep the local
        variables of its frames alive.
        """
        self._letters.append(replace(letter, reason=copy(letter.reason)))
        self._total += 1

    def clear(self) -> None:
        """Remove all letters, so that their messages can be freed. The total does not change."""
        self._letters.clear()

    @overload
    def __getitem__(self, index: int) -> DeadLetter: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[DeadLetter]: ...
    def __getitem__(self, index: int | slice) -> DeadLetter | Sequence[DeadLetter]:
        return list(self._letters)[index] if isinstance(index, slice) else self._letters[index]

    def __len__(self) -> int:
        return len(self._letters)

    def __iter__(self) -> Iterator[DeadLetter]:
        return iter(tuple(self._letters))
