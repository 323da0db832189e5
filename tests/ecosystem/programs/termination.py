"""Each termination condition ends a run, alone or joined with others."""

import asyncio

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
from autogen_core.models import CreateResult, ModelFamily, ModelInfo, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

ABLE = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=False,
    family=ModelFamily.UNKNOWN,
    structured_output=False,
)


def approve() -> str:
    """Approve."""
    return "approved"


def team(end: TerminationCondition) -> RoundRobinGroupChat:
    call = CreateResult(
        finish_reason="function_calls",
        content=[FunctionCall(id="1", name="approve", arguments="{}")],
        usage=RequestUsage(prompt_tokens=30, completion_tokens=20),
        cached=False,
    )
    lines = ["one", "two", "three", "four STOP"]
    agents = [
        AssistantAgent("talker", ReplayChatCompletionClient([*lines])),
        AssistantAgent(
            "caller", ReplayChatCompletionClient([call, *lines], model_info=ABLE), tools=[approve]
        ),
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
