"""Diagrams of a topology: Mermaid, Graphviz and SVG."""

from __future__ import annotations

from xml.etree import ElementTree

from ferrogen import AgentTypeInfo, RoutedAgent, SubscriptionInfo, Topology


def agent_type(name: str, *, is_registered: bool = True) -> AgentTypeInfo:
    return AgentTypeInfo(name=name, agent_class=RoutedAgent, is_registered=is_registered)


def subscription(kind: str, topics: str, agent_type: str | None, id: str = "1") -> SubscriptionInfo:
    return SubscriptionInfo(id=id, kind=kind, topics=topics, agent_type=agent_type)  # type: ignore[arg-type]


TOPOLOGY = Topology(
    agent_types=(agent_type("clerk"), agent_type("audit"), agent_type("gone", is_registered=False)),
    subscriptions=(
        subscription("prefix", "clerk:", "clerk"),
        subscription("type", "orders", "clerk"),
        subscription("type", "orders", "audit"),
        subscription("prefix", "orders", "gone"),
        subscription("wildcard", "orders.*.>", "audit"),
        subscription("custom", "Everything", None, "a"),
        subscription("custom", "Everything", "clerk", "b"),
    ),
)


def test_mermaid_has_a_node_for_each_topic_and_agent_type_and_an_edge_for_each_subscription() -> (
    None
):
    assert TOPOLOGY.to_mermaid() == (
        "flowchart LR\n"
        '    topic0(["orders"])\n'
        '    topic1(["orders…"])\n'
        '    topic2(["orders.#42;.#62;"])\n'
        '    topic3{{"Everything"}}\n'
        '    topic4{{"Everything"}}\n'
        '    agent0["clerk"]\n'
        '    agent1["audit"]\n'
        '    agent2["gone (not registered)"]\n'
        "    topic0 --> agent0\n"
        "    topic0 --> agent1\n"
        "    topic1 --> agent2\n"
        "    topic2 --> agent1\n"
        "    topic4 --> agent0\n"
    )


def test_dot_has_a_node_for_each_topic_and_agent_type_and_an_edge_for_each_subscription() -> None:
    assert TOPOLOGY.to_dot() == (
        "digraph topology {\n"
        "    rankdir=LR;\n"
        '    topic0 [label="orders", shape=ellipse];\n'
        '    topic1 [label="orders…", shape=ellipse];\n'
        '    topic2 [label="orders.*.>", shape=ellipse];\n'
        '    topic3 [label="Everything", shape=hexagon];\n'
        '    topic4 [label="Everything", shape=hexagon];\n'
        '    agent0 [label="clerk", shape=box];\n'
        '    agent1 [label="audit", shape=box];\n'
        '    agent2 [label="gone (not registered)", shape=box];\n'
        "    topic0 -> agent0;\n"
        "    topic0 -> agent1;\n"
        "    topic1 -> agent2;\n"
        "    topic2 -> agent1;\n"
        "    topic4 -> agent0;\n"
        "}\n"
    )


def test_subscriptions_for_direct_messages_are_shown_if_asked_for() -> None:
    topology = Topology(agent_types=(), subscriptions=(subscription("prefix", "a:", "a"),))
    assert topology.to_mermaid() == "flowchart LR\n"
    assert topology.to_dot() == "digraph topology {\n    rankdir=LR;\n}\n"
    shown = topology.to_mermaid(direct=True)
    assert 'topic0(["a:…"])' in shown
    assert 'agent0["a (not registered)"]' in shown
    assert "topic0 --> agent0" in shown
    assert "topic0 -> agent0;" in topology.to_dot(direct=True)


def test_text_that_the_language_of_a_diagram_would_read_is_escaped() -> None:
    rule = subscription("type", 'a"b\\c\n<d>`#', "a")
    topology = Topology(agent_types=(agent_type("a"),), subscriptions=(rule,))
    assert '(["a#34;b#92;c#10;#60;d#62;#96;#35;"])' in topology.to_mermaid()
    assert r'[label="a\"b\\c\n<d>`#", shape' in topology.to_dot()


SVG = "{http://www.w3.org/2000/svg}"


def drawn(topology, **options):
    """The texts and the number of edges of a drawing."""
    root = ElementTree.fromstring(topology.to_svg(**options))
    assert root.tag == f"{SVG}svg"
    return [one.text for one in root.iter(f"{SVG}text")], len(list(root.iter(f"{SVG}path")))


def test_svg_has_a_node_for_each_topic_and_agent_type_and_an_edge_for_each_subscription():
    texts, edges = drawn(TOPOLOGY)
    topics = ["orders", "orders…", "orders.*.>", "Everything", "Everything"]
    assert sorted(texts) == sorted([*topics, "clerk", "audit", "gone (not registered)"])
    assert edges == 5
    assert len(drawn(TOPOLOGY, direct=True)[0]) == len(texts) + 1


def test_nodes_of_an_svg_do_not_overlap_and_are_inside_of_the_picture():
    root = ElementTree.fromstring(TOPOLOGY.to_svg())
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    boxes = [
        [float(one.attrib[name]) for name in ("x", "y", "width", "height")]
        for one in root.iter(f"{SVG}rect")
        if "x" in one.attrib
    ]
    for number, (x, y, w, h) in enumerate(boxes):
        assert min(x, y) >= 0
        assert x + w <= width
        assert y + h <= height
        for x2, y2, w2, h2 in boxes[:number]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y


def test_text_that_xml_would_read_is_escaped():
    info = SubscriptionInfo(id="1", kind="type", topics='<a>&"b\x00', agent_type="x")
    texts, edges = drawn(Topology(agent_types=(), subscriptions=(info,)))
    assert (texts, edges) == (['<a>&"b\N{REPLACEMENT CHARACTER}', "x (not registered)"], 1)


def test_a_topology_without_anything_is_drawn():
    assert drawn(Topology(agent_types=(), subscriptions=())) == ([], 0)
