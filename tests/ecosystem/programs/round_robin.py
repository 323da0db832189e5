"""A writer and a critic take turns until the critic approves; every event is streamed."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import TaskResult
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_ext.models.replay import ReplayChatCompletionClient


async def main() -> None:
    writer = AssistantAgent(
        "writer",
        ReplayChatCompletionClient(["Frogs leap.", "Green frogs leap at dusk."]),
        system_message="You write.",
        model_client_stream=True,
    )
    critic = AssistantAgent(
        "critic",
        ReplayChatCompletionClient(["Add a colour and a time.", "APPROVE"]),
        system_message="You criticise.",
    )
    end = TextMentionTermination("APPROVE", sources=["critic"]) | MaxMessageTermination(10)
    team = RoundRobinGroupChat([writer, critic], termination_condition=end)
    async for item in team.run_stream(task="Write one line about frogs."):
        if isinstance(item, TaskResult):
            print("stopped:", item.stop_reason)
        else:
            print(type(item).__name__, item.source, item.to_text(), item.models_usage)
    await team.reset()
    print("after a reset, terminated:", end.terminated)


asyncio.run(main())
