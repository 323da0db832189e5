"""The rule by topic type prefix: what it matches, when two are the same, its id."""

import copy
import pickle
import uuid

import pytest

from ferrogen._core import AgentId
from ferrogen.agents.agent_type import AgentType
from ferrogen.exceptions import CantHandleException
from ferrogen.messaging.subscriptions import TypePrefixSubscription, TypeSubscription
from ferrogen.messaging.topic import TopicId


def test_topic_types_that_begin_alike_match():
    rule = TypePrefixSubscription("orders", "clerk")
    assert rule.is_match(TopicId("orders", "s"))
    assert rule.is_match(TopicId("orders.new", "s"))
    assert not rule.is_match(TopicId("new.orders", "s"))


def test_the_source_becomes_the_key():
    assert TypePrefixSubscription("orders", AgentType("clerk")).map_to_agent(
        TopicId("orders", "shop-7")
    ) == AgentId("clerk", "shop-7")


def test_a_topic_that_does_not_match_maps_to_no_agent():
    with pytest.raises(CantHandleException, match="news/s does not start with orders"):
        TypePrefixSubscription("orders", "clerk").map_to_agent(TopicId("news", "s"))


def test_the_same_rule_or_the_same_id_makes_two_subscriptions_equal():
    assert TypePrefixSubscription("t", "a") == TypePrefixSubscription("t", "a")
    assert TypePrefixSubscription("t", "a", id="1") == TypePrefixSubscription("u", "b", id="1")
    assert TypePrefixSubscription("t", "a") != TypePrefixSubscription("u", "a")
    assert TypePrefixSubscription("t", "a") != "t"


def test_an_id_is_a_uuid_made_once_unless_given():
    rule = TypePrefixSubscription("t", "a")
    assert rule.id == rule.id == str(uuid.UUID(rule.id))
    assert rule.id != TypePrefixSubscription("t", "a").id
    assert TypePrefixSubscription("t", "a", id="mine").id == "mine"


@pytest.mark.parametrize(
    "repeat", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_copy_has_the_id_of_its_original(repeat):
    rule = TypePrefixSubscription("t", "a")
    assert repeat(rule).id == rule.id


def test_pickles_name_the_public_path():
    assert b"ferrogen._" not in pickle.dumps(TypePrefixSubscription("t", "a"))


def test_a_rule_by_type_is_never_equal_to_one_by_prefix():
    assert TypePrefixSubscription("t", "a", id="1") != TypeSubscription("t", "a", id="1")
