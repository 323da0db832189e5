"""A writer and a critic in a team of AgentChat. Moved to Ferrogen."""

import ferrogen

ferrogen.install()  # changed: from here on, autogen_core is ferrogen, in AgentChat too

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.tools import FunctionTool
from autogen_ext.models.replay import ReplayChatCompletionClient


def count_words(text: str) -> int:
    return len(text.split())


async def main() -> None:
    counter = FunctionTool(count_words, description="Count words.")
    writer = AssistantAgent(
        "writer", ReplayChatCompletionClient(["Frogs leap.", "Frogs leap far."])
    )
    critic = AssistantAgent("critic", ReplayChatCompletionClient(["How far?", "APPROVE"]))
    team = RoundRobinGroupChat(
        [writer, critic], termination_condition=TextMentionTermination("APPROVE")
    )
    result = await team.run(task="Write about frogs.")
    for message in result.messages:
        print(message.source, "-", message.to_text())
    state = await team.save_state()
    print("agents with state:", sorted(state["agent_states"]))
    print("the tool is called", counter.name)


asyncio.run(main())
