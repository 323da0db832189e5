"""Replay: sends the message of a dead letter again, to the recipient that has not handled it."""

from __future__ import annotations

from typing import Any

from ferrogen._core import AgentId, Routes
from ferrogen.exceptions import ReplayError
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.dead_letters.letter import DeadLetter
from ferrogen.runtime.protocols import AgentRuntime

__all__ = ["Replayer"]


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
