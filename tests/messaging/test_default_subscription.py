"""The default subscription: its two defaults."""

import pytest

from ferrogen.agents.agent_type import AgentType
from ferrogen.exceptions import CantHandleException
from ferrogen.messaging.subscription import SubscriptionInstantiationContext
from ferrogen.messaging.subscriptions import DefaultSubscription, TypeSubscription
from ferrogen.messaging.topic import DefaultTopicId


def test_it_matches_the_default_topic():
    assert DefaultSubscription(agent_type="clerk").is_match(DefaultTopicId())


def test_it_takes_the_agent_type_that_is_being_registered():
    with SubscriptionInstantiationContext.populate_context(AgentType("clerk")):
        assert DefaultSubscription("orders") == TypeSubscription("orders", "clerk")


def test_without_an_agent_type_it_cannot_be_made():
    with pytest.raises(CantHandleException, match="pass agent_type"):
        DefaultSubscription()
