"""Each termination condition ends a run, alone or joined with others."""

import asyncio

from _replay import tool_calls, tool_model
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import TerminationCondition
from autogen_agentchat.conditions import (
    FunctionalTermination,
    FunctionCallTermination,
    MaxMessageTermination,
    SourceMatchTermination,
    StopMessageTermination,
    TextMentionTermination,
    TextMessageTermination,
    TimeoutTermination,
    TokenUsageTermination,
)
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import FunctionCall
from autogen_ext.models.replay import ReplayChatCompletionClient


def approve() -> str:
    """Approve."""
    return "approved"


def team(end: TerminationCondition) -> RoundRobinGroupChat:
    approval = FunctionCall(id="1", name="approve", arguments="{}")
    call = tool_calls(approval, prompt_tokens=30, completion_tokens=20)
    lines = ["one", "two", "three", "four STOP"]
    agents = [
        AssistantAgent("talker", ReplayChatCompletionClient([*lines])),
        AssistantAgent("caller", tool_model(call, *lines), tools=[approve]),
    ]
    return RoundRobinGroupChat(agents, termination_condition=end, max_turns=7)


async def main() -> None:
    conditions: list[TerminationCondition] = [
        MaxMessageTermination(3),
        MaxMessageTermination(4, include_agent_event=True),
        TextMentionTermination("STOP"),
        TextMentionTermination("two", sources=["talker"]),
        TextMessageTermination("talker"),
        SourceMatchTermination(["caller"]),
        FunctionCallTermination("approve"),
        TokenUsageTermination(max_total_token=60),
        TimeoutTermination(600) | StopMessageTermination(),
        MaxMessageTermination(2) & TextMentionTermination("three"),
        FunctionalTermination(lambda messages: messages[-1].source == "caller"),
    ]
    for condition in conditions:
        result = await team(condition).run(task="Talk.")
        print(type(condition).__name__, len(result.messages), result.stop_reason)
    for condition in conditions[:7]:
        copy = type(condition).load_component(condition.dump_component())
        print(copy.dump_component().model_dump_json())


asyncio.run(main())
