"""The default subscription: topic type "default", agent type from the context."""

from __future__ import annotations

from ferrogen.agents.agent_type import AgentType
from ferrogen.exceptions import CantHandleException
from ferrogen.messaging.subscription import SubscriptionInstantiationContext
from ferrogen.messaging.type_subscription import TypeSubscription


class DefaultSubscription(TypeSubscription):
    """Subscribes an agent type to the default topic.

    Example:
        ```python
        from ferrogen import DefaultSubscription, DefaultTopicId

        rule = DefaultSubscription(agent_type="clerk")
        assert rule.is_match(DefaultTopicId())
        ```

    Args:
        topic_type: The topic type.
        agent_type: The agent type that receives it; by default the agent type that is being
            registered.

    Raises:
        CantHandleException: The agent type is left out, and no agent type is being registered.
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    def __init__(
        self, topic_type: str = "default", agent_type: str | AgentType | None = None
    ) -> None:
        if agent_type is None:
            try:
                agent_type = SubscriptionInstantiationContext.agent_type()
            except RuntimeError as error:
                raise CantHandleException(
                    "DefaultSubscription() without agent_type works only in a subscription "
                    "factory, which a runtime calls with the type: pass agent_type"
                ) from error
        super().__init__(topic_type, agent_type)
