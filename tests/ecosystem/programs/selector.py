"""A model selects who speaks next; then a function of the user's does."""

import asyncio
from collections.abc import Sequence

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage
from autogen_agentchat.teams import SelectorGroupChat
from autogen_ext.models.replay import ReplayChatCompletionClient


def planner_and_worker() -> list[AssistantAgent]:
    planner = AssistantAgent(
        "planner",
        ReplayChatCompletionClient(["First measure.", "DONE"]),
        description="Makes plans.",
    )
    worker = AssistantAgent(
        "worker",
        ReplayChatCompletionClient(["Measured: 42.", "Measured again: 42.", "Still 42."]),
        description="Does the work.",
    )
    return [planner, worker]


def alternate(messages: Sequence[BaseAgentEvent | BaseChatMessage]) -> str | None:
    return "worker" if messages[-1].source in ("user", "planner") else None


async def main() -> None:
    end = TextMentionTermination("DONE") | MaxMessageTermination(6)
    # The second selection names no participant, and so is requested again.
    chooser = ReplayChatCompletionClient(["planner", "stranger", "worker", "worker", "planner"])
    team = SelectorGroupChat(
        planner_and_worker(), chooser, termination_condition=end, allow_repeated_speaker=True
    )
    result = await team.run(task="Measure it.")
    print([(message.source, message.to_text()) for message in result.messages])
    print(result.stop_reason)
    prompts = [call["messages"][0].content for call in chooser.create_calls]
    print(len(prompts), prompts[-1])

    chooser = ReplayChatCompletionClient(["planner", "planner"])
    team = SelectorGroupChat(
        planner_and_worker(), chooser, termination_condition=end, selector_func=alternate
    )
    result = await team.run(task="Measure it, worker first.")
    print([(message.source, message.to_text()) for message in result.messages])


asyncio.run(main())
