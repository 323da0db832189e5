"""Diagrams of a graph of topics and agent types: Mermaid, Graphviz and SVG."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import mean
from xml.etree.ElementTree import Element, SubElement, indent, tostring

__all__ = ["Graph", "TopicNode", "dot", "mermaid", "svg"]


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


# In pixels. A character of the monospaced font is at most so wide.
_CHARACTER = 8
_LINE = 40
_BOX = 26
_PADDING = 12
_BETWEEN = 120


def svg(graph: Graph) -> str:
    """Return a drawing, with an edge from each topic to the agent types that subscribe to it."""
    topics = {node: one.text for node, one in graph.topics.items()}
    agent_types = {node: graph.agent_types[node] for node in _by_topics(graph)}
    left, right = _width(topics), _width(agent_types)
    height = _PADDING * 2 + _LINE * max(len(topics), len(agent_types), 1)
    start = _PADDING + left + (_BETWEEN if topics else 0)
    width = start + right + _PADDING
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width} {height}",
            "width": str(width),
            "height": str(height),
            "font-family": "monospace",
            "font-size": "13",
        },
    )
    SubElement(root, "title").text = "Topics and agent types"
    SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": "white"})
    rows = {node: row for column in (topics, agent_types) for row, node in enumerate(column)}
    for topic, agent_type in graph.edges:
        _draw_edge(root, _PADDING + left, start, _middle(rows[topic]), _middle(rows[agent_type]))
    for node, text in topics.items():
        dashes = "5 3" if graph.topics[node].is_custom else ""
        _draw_node(root, text, _PADDING, rows[node], left, radius=_BOX // 2, dashes=dashes)
    for node, text in agent_types.items():
        _draw_node(root, text, start, rows[node], right, radius=3)
    indent(root)
    return tostring(root, encoding="unicode") + "\n"


def _by_topics(graph: Graph) -> list[str]:
    """The agent types, each near its topics, so that few edges cross."""
    places = {topic: place for place, topic in enumerate(graph.topics)}
    found: dict[str, list[int]] = {node: [] for node in graph.agent_types}
    for topic, agent_type in graph.edges:
        found[agent_type].append(places[topic])
    return sorted(found, key=lambda node: mean(found[node]) if found[node] else len(places))


def _width(texts: dict[str, str]) -> int:
    longest = max((len(text) for text in texts.values()), default=0)
    return longest * _CHARACTER + 2 * _PADDING if texts else 0


def _middle(row: int) -> int:
    return _PADDING + _LINE * row + _LINE // 2


def _draw_edge(root: Element, x1: int, x2: int, y1: int, y2: int) -> None:
    middle = (x1 + x2) // 2
    path = f"M {x1} {y1} C {middle} {y1}, {middle} {y2}, {x2} {y2}"
    SubElement(root, "path", {"d": path, "fill": "none", "stroke": "#888888"})


def _draw_node(
    root: Element, text: str, x: int, row: int, width: int, *, radius: int, dashes: str = ""
) -> None:
    top = _middle(row) - _BOX // 2
    shape = {"x": str(x), "y": str(top), "width": str(width), "height": str(_BOX)}
    look = {"rx": str(radius), "fill": "#f4f4f8", "stroke": "#444444"}
    if dashes:
        look["stroke-dasharray"] = dashes
    SubElement(root, "rect", {**shape, **look})
    place = {"x": str(x + width // 2), "y": str(_middle(row) + 5), "text-anchor": "middle"}
    # XML has no place for most control characters.
    shown = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in text)
    SubElement(root, "text", place).text = shown
