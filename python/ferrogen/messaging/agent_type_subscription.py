"""The common part of the built-in subscriptions: an id and an agent type."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from ferrogen._core import AgentId
from ferrogen.agents.agent_type import AgentType
from ferrogen.exceptions import CantHandleException
from ferrogen.messaging.subscription import Subscription, new_subscription_id
from ferrogen.messaging.topic import TopicId


class AgentTypeSubscription(Subscription):
    """Subscribes an agent type to topics; each topic source has its own agent.

    Args:
        agent_type: The agent type.
        id: The id of the subscription; by default a new UUID.
    """

    def __init__(self, agent_type: str | AgentType, id: str | None) -> None:
        self._agent_type = agent_type.type if isinstance(agent_type, AgentType) else agent_type
        # None until first read: creating a UUID costs more than all the rest.
        self._id = id or None

    @property
    def id(self) -> str:
        """The id of this subscription, to remove it by."""
        if self._id is None:
            self._id = new_subscription_id()
        return self._id

    @property
    def agent_type(self) -> str:
        """The agent type that receives the messages."""
        return self._agent_type

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        """Return the agent id with the topic's source as its key.

        Raises:
            CantHandleException: The topic does not match this subscription.
        """
        if self.is_match(topic_id):
            return AgentId(self._agent_type, topic_id.source)
        raise CantHandleException(f"{self._mismatch(topic_id)}: call is_match before map_to_agent")

    @abstractmethod
    def _mismatch(self, topic_id: TopicId) -> str:
        """Say that the topic does not match, and why."""

    def __getstate__(self) -> dict[str, Any]:
        # A copy is the same subscription, so the id is created before it is copied.
        return {**self.__dict__, "_id": self.id}
