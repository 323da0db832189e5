"""A directed graph of agents: a fan-out, a join, and a loop that a condition leaves."""

import asyncio

from autogen_agentchat.agents import (
    AssistantAgent,
    MessageFilterAgent,
    MessageFilterConfig,
    PerSourceFilter,
)
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import DiGraphBuilder, GraphFlow
from autogen_ext.models.replay import ReplayChatCompletionClient


def agent(name: str, *answers: str) -> AssistantAgent:
    return AssistantAgent(name, ReplayChatCompletionClient([*answers]))


async def fan_out_and_join() -> None:
    writer, grammar, style = (
        agent("writer", "A text."),
        agent("grammar", "ok"),
        agent("style", "dull"),
    )
    editor = MessageFilterAgent(
        name="editor",
        wrapped_agent=agent("editor", "The final text."),
        filter=MessageFilterConfig(
            per_source=[
                PerSourceFilter(source="grammar", position="last", count=1),
                PerSourceFilter(source="style", position="last", count=1),
            ]
        ),
    )
    builder = DiGraphBuilder()
    for node in (writer, grammar, style, editor):
        builder.add_node(node)
    builder.add_edge(writer, grammar).add_edge(writer, style)
    builder.add_edge(grammar, editor).add_edge(style, editor)
    flow = GraphFlow(builder.get_participants(), graph=builder.build())
    result = await flow.run(task="Write.")
    said = [(message.source, message.to_text()) for message in result.messages]
    # The two in the middle work at the same time: their order is not guaranteed.
    print(said[:2], sorted(said[2:4]), said[4:], result.stop_reason)


async def loop() -> None:
    generator, reviewer = (
        agent("generator", "draft 1", "draft 2"),
        agent("reviewer", "AGAIN", "FINE"),
    )
    end = agent("end", "published")
    builder = DiGraphBuilder()
    builder.add_node(generator).add_node(reviewer).add_node(end)
    builder.add_edge(generator, reviewer)
    builder.add_edge(
        reviewer, generator, condition=lambda message: "AGAIN" in message.to_model_text()
    )
    builder.add_edge(reviewer, end, condition="FINE")
    builder.set_entry_point(generator)
    flow = GraphFlow(
        builder.get_participants(),
        graph=builder.build(),
        termination_condition=MaxMessageTermination(9),
    )
    result = await flow.run(task="Draft.")
    print([(message.source, message.to_text()) for message in result.messages], result.stop_reason)


async def main() -> None:
    await fan_out_and_join()
    await loop()


asyncio.run(main())
