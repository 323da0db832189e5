"""Diagrams of a topology: Mermaid and Graphviz."""

from __future__ import annotations

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
