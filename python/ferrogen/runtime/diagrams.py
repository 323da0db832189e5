"""Diagrams of a topology: Mermaid and Graphviz."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .topology import SubscriptionInfo, Topology

__all__ = ["Graph", "dot", "mermaid", "topic_text"]

# Mermaid may take any other character as markup.
_PLAIN = frozenset(" _-.:=/()…")


def mermaid(topology: Topology, *, direct: bool) -> str:
    """Return a Mermaid flowchart, from topics to agent types."""
    lines = ["flowchart LR"]
    graph = Graph(topology, direct=direct)
    for node, one in graph.topics.items():
        topics = _mermaid_text(topic_text(one))
        lines.append(
            f"    {node}{{{{{topics}}}}}" if one.kind == "custom" else f"    {node}([{topics}])"
        )
    for node, text in graph.agent_types.items():
        lines.append(f"    {node}[{_mermaid_text(text)}]")
    lines.extend(f"    {topic} --> {agent_type}" for topic, agent_type in graph.edges)
    return "\n".join(lines) + "\n"


def dot(topology: Topology, *, direct: bool) -> str:
    """Return a Graphviz digraph, from topics to agent types."""
    lines = ["digraph topology {", "    rankdir=LR;"]
    graph = Graph(topology, direct=direct)
    for node, one in graph.topics.items():
        shape = "hexagon" if one.kind == "custom" else "ellipse"
        lines.append(f"    {node} [label={_dot_text(topic_text(one))}, shape={shape}];")
    for node, text in graph.agent_types.items():
        lines.append(f"    {node} [label={_dot_text(text)}, shape=box];")
    lines.extend(f"    {topic} -> {agent_type};" for topic, agent_type in graph.edges)
    return "\n".join([*lines, "}"]) + "\n"


class Graph:
    """The nodes by their names in a diagram, and the edges between them."""

    def __init__(self, topology: Topology, *, direct: bool) -> None:
        shown = [one for one in topology.subscriptions if direct or not one.is_direct]
        registered = {one.name for one in topology.agent_types if one.is_registered}
        names = [one.name for one in topology.agent_types]
        names += [one.agent_type for one in shown if one.agent_type is not None]
        agent_nodes = {name: f"agent{n}" for n, name in enumerate(dict.fromkeys(names))}
        self.agent_types = {
            node: name if name in registered else f"{name} (not registered)"
            for name, node in agent_nodes.items()
        }
        self.topics: dict[str, SubscriptionInfo] = {}
        self.edges: list[tuple[str, str]] = []
        topic_nodes: dict[tuple[str, str, str], str] = {}
        for one in shown:
            # Custom subscriptions of one class may match different topics.
            topics = (one.kind, one.topics, one.id if one.kind == "custom" else "")
            node = topic_nodes.setdefault(topics, f"topic{len(topic_nodes)}")
            self.topics[node] = one
            if one.agent_type is not None:
                self.edges.append((node, agent_nodes[one.agent_type]))


def topic_text(one: SubscriptionInfo) -> str:
    """How the topics of a subscription are shown."""
    return f"{one.topics}…" if one.kind == "prefix" else one.topics


def _mermaid_text(text: str) -> str:
    shown = (one if one.isalnum() or one in _PLAIN else f"#{ord(one)};" for one in text)
    return f'"{"".join(shown)}"'


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'"{escaped}"'
