"""The topology of a runtime: agent types, and the topics that they subscribe to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ferrogen.messaging.subscription import Subscription
from ferrogen.messaging.subscriptions import (
    AgentTypeSubscription,
    DefaultSubscription,
    TypePrefixSubscription,
    TypeSubscription,
    WildcardSubscription,
)
from ferrogen.runtime.introspection.diagrams import Graph, TopicNode, dot, mermaid, svg
from ferrogen.runtime.protocols import Agent

if TYPE_CHECKING:
    from ferrogen.runtime.instances.agent_table import AgentTable

__all__ = ["AgentTypeInfo", "SubscriptionInfo", "Topology", "describe"]


@dataclass(frozen=True, kw_only=True)
class AgentTypeInfo:
    """An agent type that is registered, or that a subscription names.

    Example:
        ```python
        from ferrogen import AgentTypeInfo, RoutedAgent

        info = AgentTypeInfo(name="clerk", agent_class=RoutedAgent, is_registered=True)
        assert info.agent_class is not None
        ```
    """

    __module__ = "ferrogen"

    name: str
    """The agent type."""

    agent_class: type[Agent] | None
    """The class that it was registered with; None if that is unknown."""

    is_registered: bool
    """Whether the runtime has a factory or an instance for it."""


@dataclass(frozen=True, kw_only=True)
class SubscriptionInfo:
    """A subscription: topics and an agent type.

    Example:
        ```python
        from ferrogen import SubscriptionInfo

        info = SubscriptionInfo(id="1", kind="prefix", topics="clerk:", agent_type="clerk")
        assert info.is_direct
        ```
    """

    __module__ = "ferrogen"

    id: str
    """The id of the subscription."""

    kind: Literal["type", "prefix", "wildcard", "custom"]
    """How topics are matched; a subscription of the user's own class is "custom"."""

    topics: str
    """The topic type, the prefix or the pattern; the class name of a custom subscription."""

    agent_type: str | None
    """The agent type that receives the messages; None if only the subscription's class decides."""

    @property
    def is_direct(self) -> bool:
        """Whether it is the subscription for topics that address the agent type directly.

        Registering an agent class adds one for each agent type.
        """
        return self.kind == "prefix" and self.topics == f"{self.agent_type}:"


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The agent types of a runtime, and which topics they subscribe to.

    Example:
        ```python
        import asyncio

        from ferrogen import SingleThreadedAgentRuntime, WildcardSubscription


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            await runtime.add_subscription(WildcardSubscription("orders.>", "audit"))
            topology = runtime.topology()
            assert topology.subscriptions[0].topics == "orders.>"
            assert not topology.agent_types[0].is_registered
            print(topology.to_mermaid())


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen"

    agent_types: tuple[AgentTypeInfo, ...]
    """The registered agent types in the order of registering, then those that only subscriptions
    name."""

    subscriptions: tuple[SubscriptionInfo, ...]
    """The subscriptions, in the order of delivery."""

    def to_mermaid(self, *, direct: bool = False) -> str:
        """Return a Mermaid flowchart, from topics to agent types.

        Args:
            direct: Whether to show the subscriptions for direct messages too.
        """
        return mermaid(self._graph(direct=direct))

    def to_dot(self, *, direct: bool = False) -> str:
        """Return a Graphviz digraph, from topics to agent types.

        Args:
            direct: Whether to show the subscriptions for direct messages too.
        """
        return dot(self._graph(direct=direct))

    def to_svg(self, *, direct: bool = False) -> str:
        """Return a drawing as SVG, from topics to agent types.

        Args:
            direct: Whether to show the subscriptions for direct messages too.
        """
        return svg(self._graph(direct=direct))

    def _graph(self, *, direct: bool) -> Graph:
        shown = [one for one in self.subscriptions if direct or not one.is_direct]
        registered = {one.name for one in self.agent_types if one.is_registered}
        names = [one.name for one in self.agent_types]
        names += [one.agent_type for one in shown if one.agent_type is not None]
        agent_nodes = {name: f"agent{n}" for n, name in enumerate(dict.fromkeys(names))}
        agent_types = {
            node: name if name in registered else f"{name} (not registered)"
            for name, node in agent_nodes.items()
        }
        topics: dict[str, TopicNode] = {}
        edges: list[tuple[str, str]] = []
        topic_nodes: dict[tuple[str, str, str], str] = {}
        for one in shown:
            is_custom = one.kind == "custom"
            # Custom subscriptions of one class may match different topics.
            key = (one.kind, one.topics, one.id if is_custom else "")
            node = topic_nodes.setdefault(key, f"topic{len(topic_nodes)}")
            text = f"{one.topics}…" if one.kind == "prefix" else one.topics
            topics[node] = TopicNode(text, is_custom)
            if one.agent_type is not None:
                edges.append((node, agent_nodes[one.agent_type]))
        return Graph(topics, agent_types, edges)


def describe(agents: AgentTable, subscriptions: Sequence[Subscription]) -> Topology:
    """Return the topology of the agent types and subscriptions."""
    described = tuple(_describe_subscription(one) for one in subscriptions)
    named = (one.agent_type for one in described if one.agent_type is not None)
    agent_types = (
        AgentTypeInfo(
            name=name,
            agent_class=agents.expected_class(name),
            is_registered=agents.is_registered(name),
        )
        for name in dict.fromkeys([*agents.registered(), *named])
    )
    return Topology(agent_types=tuple(agent_types), subscriptions=described)


def _describe_subscription(subscription: Subscription) -> SubscriptionInfo:
    cls = type(subscription)
    kind: Literal["type", "prefix", "wildcard", "custom"] = "custom"
    topics = cls.__name__
    # A subclass may match in another way.
    if isinstance(subscription, TypeSubscription) and cls in {
        TypeSubscription,
        DefaultSubscription,
    }:
        kind, topics = "type", subscription.topic_type
    elif isinstance(subscription, TypePrefixSubscription) and cls is TypePrefixSubscription:
        kind, topics = "prefix", subscription.topic_type_prefix
    elif isinstance(subscription, WildcardSubscription) and cls is WildcardSubscription:
        kind, topics = "wildcard", subscription.pattern
    agent_type = (
        subscription.agent_type if isinstance(subscription, AgentTypeSubscription) else None
    )
    return SubscriptionInfo(id=subscription.id, kind=kind, topics=topics, agent_type=agent_type)
