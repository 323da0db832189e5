"""Routes: adding and removing subscriptions, and the recipients of a topic."""

from __future__ import annotations

from typing import Any

import pytest

from ferrogen import (
    AgentId,
    DefaultSubscription,
    Subscription,
    TopicId,
    TypePrefixSubscription,
    TypeSubscription,
)
from ferrogen._core import Routes
from ferrogen.exceptions import CantHandleException


class Custom(Subscription):
    """Matches every topic, for one agent."""

    def __init__(self, name: str, agent: Any = None) -> None:
        self._name = name
        self._agent = AgentId("custom", name) if agent is None else agent

    @property
    def id(self) -> str:
        return self._name

    def is_match(self, topic_id: TopicId) -> bool:
        return True

    def map_to_agent(self, topic_id: TopicId) -> AgentId:
        return self._agent  # type: ignore[no-any-return]


def recipients_of(routes: Routes, topic_type: str, source: str = "s") -> list[str]:
    return [str(agent_id) for agent_id in routes.recipients(TopicId(topic_type, source))]


def test_recipients_are_in_the_order_of_subscribing_whatever_the_kind() -> None:
    routes = Routes()
    routes.add(TypePrefixSubscription("draft.", "critic"))
    routes.add(Custom("1"))
    routes.add(TypeSubscription("draft.poem", "writer"))
    routes.add(TypePrefixSubscription("", "archive"))
    assert recipients_of(routes, "draft.poem") == ["critic/s", "custom/1", "writer/s", "archive/s"]
    assert recipients_of(routes, "other") == ["custom/1", "archive/s"]
    assert len(routes) == 4


def test_default_subscriptions_match_the_default_topic() -> None:
    routes = Routes()
    routes.add(DefaultSubscription(agent_type="writer"))
    assert recipients_of(routes, "default", "here") == ["writer/here"]


def test_a_removed_subscription_no_longer_matches_and_is_last_if_added_again() -> None:
    routes = Routes()
    first, second = TypeSubscription("poem", "writer"), TypeSubscription("poem", "critic")
    routes.add(first)
    routes.add(second)
    routes.remove(first.id)
    assert recipients_of(routes, "poem") == ["critic/s"]
    routes.add(first)
    assert routes.subscriptions == [second, first]
    assert recipients_of(routes, "poem") == ["critic/s", "writer/s"]


def test_an_unknown_id_cannot_be_removed() -> None:
    with pytest.raises(ValueError, match=r"^Subscription does not exist$"):
        Routes().remove("unknown")


@pytest.mark.parametrize(
    ("one", "equal"),
    [
        (TypeSubscription("a", "b"), TypeSubscription("a", "b")),
        (TypeSubscription("a", "b", id="1"), TypeSubscription("c", "d", id="1")),
        (TypePrefixSubscription("a", "b"), TypePrefixSubscription("a", "b")),
        (TypeSubscription("default", "b"), DefaultSubscription(agent_type="b")),
        (Custom("1"), Custom("1", AgentId("other", "1"))),
    ],
)
def test_an_equal_subscription_is_refused_and_changes_nothing(one: Any, equal: Any) -> None:
    routes = Routes()
    routes.add(one)
    with pytest.raises(ValueError, match=r"^Subscription already exists$"):
        routes.add(equal)
    assert routes.subscriptions == [one]


def test_subscriptions_of_different_kinds_are_not_equal() -> None:
    routes = Routes()
    routes.add(TypeSubscription("a", "b", id="1"))
    routes.add(TypePrefixSubscription("a", "b", id="1"))
    assert recipients_of(routes, "a") == ["b/s", "b/s"]
    routes.remove("1")
    assert len(routes) == 0


def test_equality_with_a_custom_subscription_is_decided_by_its_method() -> None:
    class EqualToAll(Custom):  # noqa: PLW1641 - never hashed
        def __eq__(self, other: object) -> bool:
            return True

    routes = Routes()
    routes.add(EqualToAll("1"))
    with pytest.raises(ValueError, match="already exists"):
        routes.add(TypeSubscription("a", "b"))


def test_the_methods_of_a_subclass_of_a_built_in_subscription_are_called() -> None:
    class OneSource(TypeSubscription):
        def is_match(self, topic_id: TopicId) -> bool:
            return topic_id.source == "mine"

    routes = Routes()
    routes.add(OneSource("a", "b"))
    assert recipients_of(routes, "a", "yours") == []
    with pytest.raises(ValueError, match="already exists"):
        routes.add(TypeSubscription("a", "b"))


@pytest.mark.parametrize("method", ["is_match", "map_to_agent"])
def test_the_error_of_a_custom_subscription_is_raised(method: str) -> None:
    def fail(self: object, topic_id: TopicId) -> Any:
        raise CantHandleException("not my topic")

    routes = Routes()
    routes.add(type("Failing", (Custom,), {method: fail})("1"))
    with pytest.raises(CantHandleException, match="not my topic"):
        routes.recipients(TopicId("a", "b"))


def test_a_custom_subscription_must_map_to_an_agent_id() -> None:
    routes = Routes()
    routes.add(Custom("1", agent="writer/1"))
    with pytest.raises(TypeError):
        routes.recipients(TopicId("a", "b"))


@pytest.mark.parametrize("thing", [None, 1, "text", object(), TypeSubscription, TopicId("a", "b")])
def test_objects_other_than_subscriptions_are_refused(thing: Any) -> None:
    routes = Routes()
    with pytest.raises(TypeError):
        routes.add(thing)
    assert len(routes) == 0


@pytest.mark.parametrize("bad", ["", "two words", "writer/1", "new\n", "\udc80"])
def test_a_subscription_of_an_invalid_agent_type_is_refused(bad: str) -> None:
    with pytest.raises(ValueError, match="Invalid agent type"):
        Routes().add(TypeSubscription("a", bad))


def test_text_that_cannot_be_encoded_is_refused_in_every_argument() -> None:
    routes = Routes()
    with pytest.raises(ValueError, match="surrogates"):
        routes.add(TypeSubscription("\ud800", "b"))
    with pytest.raises(ValueError, match="surrogates"):
        routes.add(TypePrefixSubscription("\ud800", "b"))
    with pytest.raises(ValueError, match="surrogates"):
        routes.add(Custom("\ud800", AgentId("a", "b")))
    routes.add(TypeSubscription("a", "b"))
    with pytest.raises(ValueError, match="surrogates"):
        routes.recipients(TopicId("a", "caf\udce9"))
    assert len(routes) == 1


def test_a_prefix_never_ends_inside_a_character() -> None:
    routes = Routes()
    routes.add(TypePrefixSubscription("é", "b"))
    routes.add(TypePrefixSubscription("aé", "c"))
    assert recipients_of(routes, "aéz") == ["c/s"]
    assert recipients_of(routes, "aaa") == []
    assert recipients_of(routes, "กé") == []


def test_topics_use_no_memory(run_program: Any) -> None:
    """R1: 100,000 topic types and sources need less than 20 bytes each."""
    grown = run_program(
        """
        from ferrogen import TopicId, TypePrefixSubscription, TypeSubscription
        from ferrogen._core import Routes

        def resident():
            with open("/proc/self/statm") as numbers:
                return int(numbers.read().split()[1]) * 4096

        routes = Routes()
        routes.add(TypeSubscription("orders", "clerk"))
        routes.add(TypePrefixSubscription("o", "archive"))
        def publish(count):
            for number in range(count):
                routes.recipients(TopicId("orders", f"a-source-of-some-length-{number}"))
                routes.recipients(TopicId(f"other{number}", "s"))
        publish(1000)
        before = resident()
        publish(100_000)
        print(resident() - before)
        """
    )
    assert int(grown) < 2_000_000
