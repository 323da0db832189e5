"""The rule by topic type: what it matches, when two are the same, its id."""

import copy
import pickle
import uuid

import pytest

from ferrogen._core import AgentId
from ferrogen.agents.agent_type import AgentType
from ferrogen.exceptions import CantHandleException
from ferrogen.messaging.subscriptions import TypeSubscription
from ferrogen.messaging.topic import TopicId


def test_only_the_very_topic_type_matches():
    rule = TypeSubscription("orders", "clerk")
    assert rule.is_match(TopicId("orders", "s"))
    assert not rule.is_match(TopicId("orders.new", "s"))


def test_the_source_becomes_the_key():
    assert TypeSubscription("orders", AgentType("clerk")).map_to_agent(
        TopicId("orders", "shop-7")
    ) == AgentId("clerk", "shop-7")


def test_a_topic_that_does_not_match_maps_to_no_agent():
    with pytest.raises(CantHandleException, match="news/s is not of type orders"):
        TypeSubscription("orders", "clerk").map_to_agent(TopicId("news", "s"))


def test_the_same_rule_or_the_same_id_makes_two_subscriptions_equal():
    assert TypeSubscription("t", "a") == TypeSubscription("t", "a")
    assert TypeSubscription("t", "a", id="1") == TypeSubscription("u", "b", id="1")
    assert TypeSubscription("t", "a") != TypeSubscription("u", "a")
    assert TypeSubscription("t", "a") != "t"


def test_an_id_is_a_uuid_made_once_unless_given():
    rule = TypeSubscription("t", "a")
    assert rule.id == rule.id == str(uuid.UUID(rule.id))
    assert rule.id != TypeSubscription("t", "a").id
    assert TypeSubscription("t", "a", id="mine").id == "mine"


@pytest.mark.parametrize(
    "repeat", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_copy_has_the_id_of_its_original(repeat):
    rule = TypeSubscription("t", "a")
    assert repeat(rule).id == rule.id


def test_pickles_name_the_public_path():
    assert b"ferrogen._" not in pickle.dumps(TypeSubscription("t", "a"))
