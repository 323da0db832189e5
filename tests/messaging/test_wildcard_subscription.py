"""The rule by pattern: what it matches, what is refused, when two are the same, its id."""

import copy
import pickle
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen import (
    AgentId,
    ClosureAgent,
    ClosureContext,
    MessageContext,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    WildcardSubscription,
)
from ferrogen._core import Routes
from ferrogen.agents.agent_type import AgentType
from ferrogen.exceptions import CantHandleException


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        (
            "orders.*.created",
            ["orders.eu.created", "orders..created"],
            ["orders.created", "orders.eu.fr.created", "orders.eu.created.now", "orders.eu"],
        ),
        ("orders.>", ["orders.eu", "orders.eu.created", "orders."], ["orders", "ordersx.eu"]),
        ("*.>", ["a.b", "a.b.c"], ["a"]),
        ("*", ["a", "a-b:c"], ["a.b", "a."]),
        (">", ["a", "a.b.c"], []),
        ("orders.eu", ["orders.eu"], ["orders.us", "orders.eu.x", "orders"]),
    ],
)
def test_a_pattern_matches_token_by_token(pattern, matching, others):
    rule = WildcardSubscription(pattern, "clerk")
    routes = Routes()
    routes.add(rule)
    topic_types = [*matching, *others]
    assert [one for one in topic_types if rule.is_match(TopicId(one, "s"))] == matching
    assert [one for one in topic_types if routes.recipients(TopicId(one, "s"))] == matching


topic_types = st.lists(st.sampled_from(["a", "b", "orders", "é"]), min_size=1, max_size=4).map(
    ".".join
)
patterns = st.builds(
    lambda parts, rest: ".".join([*parts, *rest]),
    st.lists(st.sampled_from(["a", "b", "orders", "é", "*"]), min_size=1, max_size=4),
    st.sampled_from([[], [">"]]),
)


@given(st.lists(patterns, max_size=6, unique=True), topic_types)
def test_the_runtime_matches_as_the_subscriptions_do(patterns, topic_type):
    rules = [WildcardSubscription(one, f"agent-{n}") for n, one in enumerate(patterns)]
    routes = Routes()
    for rule in rules:
        routes.add(rule)
    topic = TopicId(topic_type, "s")
    expected = [rule.map_to_agent(topic) for rule in rules if rule.is_match(topic)]
    assert routes.recipients(topic) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        ">.a",
        "a.>.b",
        "a*",
        "*a",
        "a.>b",
        "**",
        ">>",
        "a b",
        "a/b",
        "*\n",
    ],
)
def test_an_invalid_pattern_is_refused_by_name_with_what_is_allowed(pattern):
    with pytest.raises(ValueError, match=r"\* for any one token, > at the end") as caught:
        WildcardSubscription(pattern, "clerk")
    assert f'"{pattern}"' in str(caught.value)


def test_a_pattern_is_text():
    with pytest.raises(TypeError, match="is text, not 1"):
        WildcardSubscription(1, "clerk")


def test_the_source_becomes_the_key():
    rule = WildcardSubscription("orders.*", AgentType("clerk"))
    assert rule.map_to_agent(TopicId("orders.new", "shop-7")) == AgentId("clerk", "shop-7")


def test_a_topic_that_does_not_match_maps_to_no_agent():
    with pytest.raises(
        CantHandleException, match=r"news/s does not match orders\.\*: call is_match"
    ):
        WildcardSubscription("orders.*", "clerk").map_to_agent(TopicId("news", "s"))


def test_the_same_rule_or_the_same_id_makes_two_subscriptions_equal():
    assert WildcardSubscription("t.*", "a") == WildcardSubscription("t.*", "a")
    assert WildcardSubscription("t", "a", "1") == WildcardSubscription("u", "b", "1")
    assert WildcardSubscription("t.*", "a") != WildcardSubscription("t.>", "a")
    assert WildcardSubscription("t.*", "a") != "t.*"
    assert WildcardSubscription("t", "a", id="1") != TypeSubscription("t", "a", id="1")


def test_an_equal_subscription_is_refused():
    routes = Routes()
    routes.add(WildcardSubscription("t.*", "a"))
    routes.add(WildcardSubscription("t.*", "b"))
    with pytest.raises(ValueError, match="already exists"):
        routes.add(WildcardSubscription("t.*", "a"))


def test_an_id_is_a_uuid_made_once_unless_given():
    rule = WildcardSubscription("t", "a")
    assert rule.id == rule.id == str(uuid.UUID(rule.id))
    assert WildcardSubscription("t", "a", "mine").id == "mine"


@pytest.mark.parametrize(
    "repeat", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_copy_is_the_same_subscription(repeat):
    rule = WildcardSubscription("t.*", "a")
    assert (repeat(rule).id, repeat(rule).pattern) == (rule.id, "t.*")


def test_pickles_name_the_public_path():
    assert b"ferrogen._" not in pickle.dumps(WildcardSubscription("t", "a"))


def test_the_methods_of_a_subclass_are_called():
    class OneSource(WildcardSubscription):
        def is_match(self, topic_id: TopicId) -> bool:
            return topic_id.source == "mine" and super().is_match(topic_id)

    routes = Routes()
    routes.add(OneSource("t.*", "a"))
    assert routes.recipients(TopicId("t.x", "yours")) == []
    assert routes.recipients(TopicId("t.x", "mine")) == [AgentId("a", "mine")]


async def test_published_messages_reach_agents_by_pattern_in_the_order_of_subscribing():
    runtime = SingleThreadedAgentRuntime()
    received: list[tuple[str, str]] = []

    async def record(context: ClosureContext, message: str, ctx: MessageContext) -> None:
        received.append((str(context.id), message))

    for name, pattern in [("audit", "orders.>"), ("clerk", "orders.*.created"), ("other", "*.x")]:
        await ClosureAgent.register_closure(runtime, name, record)
        await runtime.add_subscription(WildcardSubscription(pattern, name))
    runtime.start()
    await runtime.publish_message("one", TopicId("orders.eu.created", "shop-7"))
    await runtime.publish_message("two", TopicId("orders.eu.paid", "shop-7"))
    await runtime.stop_when_idle()
    assert received == [("audit/shop-7", "one"), ("clerk/shop-7", "one"), ("audit/shop-7", "two")]


async def test_each_matching_subscription_delivers_the_message_as_with_the_other_kinds():
    runtime = SingleThreadedAgentRuntime()
    received: list[str] = []

    async def record(context: ClosureContext, message: str, ctx: MessageContext) -> None:
        received.append(message)

    await ClosureAgent.register_closure(runtime, "audit", record)
    for rule in (WildcardSubscription("a.*", "audit"), WildcardSubscription("a.>", "audit")):
        await runtime.add_subscription(rule)
    runtime.start()
    await runtime.publish_message("once for each", TopicId("a.b", "s"))
    await runtime.stop_when_idle()
    assert received == ["once for each"] * 2
