"""Custom subscriptions, and the context that subscriptions are made in."""

import pytest

from ferrogen._core import AgentId
from ferrogen.agents.agent_type import AgentType
from ferrogen.messaging.subscription import Subscription, SubscriptionInstantiationContext


class Named(Subscription):
    def __init__(self, name):
        self.name = name

    @property
    def id(self):
        return self.name

    def is_match(self, topic_id):
        return True

    def map_to_agent(self, topic_id):
        return AgentId("a", "b")


def test_custom_subscriptions_are_the_same_if_their_ids_are():
    assert Named("one") == Named("one")
    assert Named("one") != Named("two")
    assert Named("one") != "one"


def test_anything_of_the_right_shape_is_a_subscription():
    class Shaped:
        id = "1"

        def is_match(self, topic_id):
            return True

        def map_to_agent(self, topic_id):
            return AgentId("a", "b")

    assert isinstance(Shaped(), Subscription)
    assert not isinstance(object(), Subscription)


def test_the_context_names_the_agent_type_only_while_it_lasts():
    with SubscriptionInstantiationContext.populate_context(AgentType("clerk")):
        assert SubscriptionInstantiationContext.agent_type() == AgentType("clerk")
    with pytest.raises(RuntimeError, match="works only in a subscription factory"):
        SubscriptionInstantiationContext.agent_type()


def test_the_context_has_no_instances():
    with pytest.raises(RuntimeError, match="cannot be instantiated"):
        SubscriptionInstantiationContext()
