"""Topic ids: what is valid, their text, equality and pickles."""

import copy
import pickle

import pytest

from ferrogen._core import AgentId
from ferrogen.messaging.handler_context import MessageHandlerContext
from ferrogen.messaging.topic import DefaultTopicId, TopicId


@pytest.mark.parametrize("type_", ["a", "orders.new", "a-b_c:d=e", "Ünïcode7"])
def test_these_are_topic_types(type_):
    assert TopicId(type_, "s").type == type_


@pytest.mark.parametrize("type_", ["", "a b", "a/b", "a\n", "a#"])
def test_these_are_no_topic_types(type_):
    with pytest.raises(ValueError, match="invalid topic type "):
        TopicId(type_, "s")


def test_the_source_may_hold_slashes():
    assert TopicId.from_str("orders/shop/7") == TopicId("orders", "shop/7")
    assert str(TopicId("orders", "shop/7")) == "orders/shop/7"


def test_text_without_a_slash_is_no_topic_id():
    with pytest.raises(ValueError, match='invalid topic id "orders"'):
        TopicId.from_str("orders")


def test_a_subclass_reads_itself_back_from_text():
    assert type(DefaultTopicId.from_str("orders/shop")) is DefaultTopicId


def test_equal_topic_ids_are_one_key_and_cannot_be_changed():
    topic = TopicId("orders", "shop")
    assert {topic: 1}[TopicId("orders", "shop")] == 1
    with pytest.raises(AttributeError):
        topic.source = "other"


def test_the_default_source_is_default_outside_a_handler():
    assert str(DefaultTopicId()) == "default/default"


def test_the_default_source_is_the_key_of_the_agent_inside_its_handler():
    with MessageHandlerContext.populate_context(AgentId("clerk", "shop-7")):
        assert str(DefaultTopicId()) == "default/shop-7"
        assert str(DefaultTopicId(source="mine")) == "default/mine"


@pytest.mark.parametrize("repeat", [copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_copies_and_pickles_keep_class_and_source(repeat):
    with MessageHandlerContext.populate_context(AgentId("clerk", "shop-7")):
        default = DefaultTopicId()
    for topic in (TopicId("orders", "shop"), default):
        repeated = repeat(topic)
        assert repeated == topic
        assert type(repeated) is type(topic)
        assert repeated.source == topic.source


def test_pickles_name_the_public_path():
    assert b"ferrogen._" not in pickle.dumps(DefaultTopicId())
