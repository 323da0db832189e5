"""Diagrams of a graph of topics and agent types: Mermaid and Graphviz."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Graph", "TopicNode", "dot", "mermaid"]

# Mermaid may take any other character as markup.
_PLAIN = frozenset(" _-.:=/()…")


@dataclass(frozen=True)
class TopicNode:
    """Topics, as a diagram shows them."""

    text: str
    is_custom: bool
    """Whether a class of the user decides which topics match."""


@dataclass(frozen=True)
class Graph:
    """The nodes by their names in a diagram, and the edges between them."""

    topics: dict[str, TopicNode]
    agent_types: dict[str, str]
    edges: list[tuple[str, str]]


def mermaid(graph: Graph) -> str:
    """Return a Mermaid flowchart, from topics to agent types."""
    lines = ["flowchart LR"]
    for node, one in graph.topics.items():
        text = _mermaid_text(one.text)
        lines.append(f"    {node}{{{{{text}}}}}" if one.is_custom else f"    {node}([{text}])")
    for node, name in graph.agent_types.items():
        lines.append(f"    {node}[{_mermaid_text(name)}]")
    lines.extend(f"    {topic} --> {agent_type}" for topic, agent_type in graph.edges)
    return "\n".join(lines) + "\n"


def dot(graph: Graph) -> str:
    """Return a Graphviz digraph, from topics to agent types."""
    lines = ["digraph topology {", "    rankdir=LR;"]
    for node, one in graph.topics.items():
        shape = "hexagon" if one.is_custom else "ellipse"
        lines.append(f"    {node} [label={_dot_text(one.text)}, shape={shape}];")
    for node, name in graph.agent_types.items():
        lines.append(f"    {node} [label={_dot_text(name)}, shape=box];")
    lines.extend(f"    {topic} -> {agent_type};" for topic, agent_type in graph.edges)
    return "\n".join([*lines, "}"]) + "\n"


def _mermaid_text(text: str) -> str:
    shown = (one if one.isalnum() or one in _PLAIN else f"#{ord(one)};" for one in text)
    return f'"{"".join(shown)}"'


def _dot_text(text: str) -> str:
    escaped = text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'"{escaped}"'
