"""Dead letters: messages that were not handled, in a bounded store."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, overload

from ferrogen._core import AgentId, Routes
from ferrogen.agents.option_checks import check_count
from ferrogen.exceptions import ReplayError
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.dead_letters.letter import DeadLetter, DeadLetterCause, ReplayReport
from ferrogen.runtime.protocols import AgentRuntime

__all__ = ["DeadLetters", "Replayer"]


class Replayer:
    """Sends and publishes the messages of dead letters again.

    Args:
        runtime: Where they are sent.
        routes: Its subscriptions.
    """

    def __init__(self, runtime: AgentRuntime, routes: Routes) -> None:
        self._runtime = runtime
        self._routes = routes

    async def __call__(self, letter: DeadLetter) -> Any:
        """Send or publish the message of a letter, from its sender and under its message id.

        Raises:
            ReplayError: It was published, one agent failed to handle it, and no topic reaches this
                agent alone.
            BaseException: Whatever sending it raises.
        """
        if letter.topic_id is None:
            assert letter.recipient is not None
            return await self._runtime.send_message(
                letter.message,
                letter.recipient,
                sender=letter.sender,
                message_id=letter.message_id,
            )
        topic_id = letter.topic_id
        if letter.recipient is not None:
            topic_id = self._topic_of(letter.recipient, topic_id, letter.sender)
        await self._runtime.publish_message(
            letter.message, topic_id, sender=letter.sender, message_id=letter.message_id
        )
        return None

    def _topic_of(self, agent_id: AgentId, topic_id: TopicId, sender: AgentId | None) -> TopicId:
        """Return a topic of which this agent is the only recipient: others have handled it."""
        direct = TopicId(f"{agent_id.type}:{topic_id.type}", agent_id.key)
        for topic in (topic_id, direct):
            recipients = {one for one in self._routes.recipients(topic) if one != sender}
            if recipients == {agent_id}:
                return topic
        raise ReplayError(
            f"the message cannot be published to {agent_id} alone: topic {topic_id} has other "
            f'subscribers, and topic type "{direct.type}" does not reach just this agent. Register '
            "the agent type without skip_direct_message_subscription, or send the message of the "
            "dead letter yourself"
        )


class DeadLetters(Sequence[DeadLetter]):
    """The newest dead letters of a runtime, oldest first. See `SingleThreadedAgentRuntime`.

    Args:
        capacity: How many are kept; older ones are dropped, and only counted.

    Raises:
        ValueError: The capacity is not a whole number of at least 1.

    Example:
        ```python
        import asyncio

        from ferrogen import DeadLetterCause, SingleThreadedAgentRuntime, TopicId


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            runtime.start()
            await runtime.publish_message("hello", TopicId("news", "today"))
            await runtime.publish_message(42, TopicId("news", "today"))
            await runtime.stop_when_idle()
            numbers = runtime.dead_letters.filter(message_type=int)
            assert [letter.message for letter in numbers] == [42]
            assert numbers[0].cause is DeadLetterCause.NO_SUBSCRIBER
            assert runtime.dead_letters.purge(numbers) == 1
            assert [letter.message for letter in runtime.dead_letters] == ["hello"]


        asyncio.run(main())
        ```
    """

    def __init__(self, capacity: int = 100) -> None:
        check_count("capacity", capacity)
        self._letters: deque[DeadLetter] = deque(maxlen=capacity)
        self._total = 0
        self.send_again: Callable[[DeadLetter], Awaitable[Any]] | None = None
        """Sends or publishes the message of a letter again. Set by the runtime."""
        self.notify: Callable[[DeadLetter], None] = lambda _letter: None
        """Is called with each new letter. Set by the runtime."""

    @property
    def capacity(self) -> int:
        """How many letters are kept."""
        capacity = self._letters.maxlen
        assert capacity is not None
        return capacity

    @property
    def total(self) -> int:
        """The number of all dead letters, including dropped and removed ones."""
        return self._total

    def add(self, letter: DeadLetter) -> None:
        """Add a letter; drop the oldest one if there are too many."""
        self._letters.append(letter)
        self._total += 1
        self.notify(letter)

    # Finding.

    def filter(
        self,
        *,
        cause: DeadLetterCause | None = None,
        message_type: type[Any] | tuple[type[Any], ...] | None = None,
        agent_type: str | None = None,
        topic_type: str | None = None,
        error: type[Exception] | tuple[type[Exception], ...] | None = None,
        since: datetime | None = None,
        where: Callable[[DeadLetter], bool] | None = None,
    ) -> tuple[DeadLetter, ...]:
        """Return the letters that meet all conditions that are given, oldest first.

        Args:
            cause: Why the message was not handled.
            message_type: A class of the message.
            agent_type: The type of the recipient.
            topic_type: The type of the topic to which the message was published.
            error: A class of the error.
            since: The earliest time, with its time zone.
            where: Any other condition.
        """
        conditions: list[Callable[[DeadLetter], bool]] = []
        if cause is not None:
            conditions.append(lambda one: one.cause is cause)
        if message_type is not None:
            conditions.append(lambda one: isinstance(one.message, message_type))
        if agent_type is not None:
            conditions.append(
                lambda one: one.recipient is not None and one.recipient.type == agent_type
            )
        if topic_type is not None:
            conditions.append(
                lambda one: one.topic_id is not None and one.topic_id.type == topic_type
            )
        if error is not None:
            conditions.append(lambda one: isinstance(one.reason, error))
        if since is not None:
            conditions.append(lambda one: one.time >= since)
        if where is not None:
            conditions.append(where)
        return tuple(one for one in self if all(holds(one) for holds in conditions))

    # Removing.

    def purge(self, letters: DeadLetter | Iterable[DeadLetter] | None = None) -> int:
        """Remove letters, so that their messages can be freed. The total does not change.

        Args:
            letters: One letter, several (such as what `filter` returns), or None for all.

        Returns:
            How many letters were removed: those that were still kept.
        """
        before = len(self._letters)
        if letters is None:
            self._letters.clear()
            return before
        removed = {id(one) for one in _several(letters)}
        kept = [one for one in self._letters if id(one) not in removed]
        self._letters.clear()
        self._letters.extend(kept)
        return before - len(kept)

    def clear(self) -> None:
        """Remove all letters, so that their messages can be freed. The total does not change."""
        self._letters.clear()

    # Replaying.

    @overload
    async def replay(self, letters: DeadLetter) -> Any: ...
    @overload
    async def replay(self, letters: Iterable[DeadLetter]) -> ReplayReport: ...
    async def replay(self, letters: DeadLetter | Iterable[DeadLetter]) -> Any:
        """Send or publish messages again, and remove the letters of those that were accepted.

        A message that was sent is sent again, and counts as accepted when its handler has
        responded. A message that was published is accepted at once; if its handler fails again, it
        is a new dead letter. If one agent failed to handle it, only this agent gets it again.

        Args:
            letters: One letter, or several, such as what `filter` returns.

        Returns:
            Of one letter, the response. Of several, the outcome of each; they are replayed one
            after the other.

        Raises:
            ReplayError: The message of the one letter cannot reach its recipient alone.
            Exception: The message of the one letter failed again.
        """
        if isinstance(letters, DeadLetter):
            return await self._replay(letters)
        replayed: list[DeadLetter] = []
        failed: list[tuple[DeadLetter, Exception]] = []
        for letter in tuple(letters):
            try:
                await self._replay(letter)
            except Exception as error:  # noqa: BLE001, PERF203 - it is part of the report
                failed.append((letter, error))
            else:
                replayed.append(letter)
        return ReplayReport(replayed=tuple(replayed), failed=tuple(failed))

    async def _replay(self, letter: DeadLetter) -> Any:
        if self.send_again is None:
            raise ReplayError("these dead letters do not belong to a runtime")
        newest = self._total
        try:
            response = await self.send_again(letter)
        except Exception:
            # The message may be a new dead letter, which takes the place of this one.
            added = self._total - newest
            recent = list(self._letters)[-added:] if added else []
            if any(one.message is letter.message for one in recent):
                self.purge(letter)
            raise
        self.purge(letter)
        return response

    # A sequence.

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


def _several(letters: DeadLetter | Iterable[DeadLetter]) -> tuple[DeadLetter, ...]:
    return (letters,) if isinstance(letters, DeadLetter) else tuple(letters)
