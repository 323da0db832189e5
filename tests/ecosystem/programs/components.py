"""A whole team goes through JSON and comes back able to run; a faulty one is refused."""

import asyncio
import json

from autogen_agentchat.agents import AssistantAgent, SocietyOfMindAgent
from autogen_agentchat.conditions import MaxMessageTermination, TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import ComponentModel
from autogen_core.model_context import BufferedChatCompletionContext
from autogen_core.tools import FunctionTool
from autogen_ext.models.replay import ReplayChatCompletionClient


def double(number: int) -> int:
    """Double it."""
    return 2 * number


def inner() -> RoundRobinGroupChat:
    writer = AssistantAgent(
        "writer",
        ReplayChatCompletionClient(
            ["A line.", "A better line."],
            model_info={
                "vision": False,
                "function_calling": True,
                "json_output": False,
                "family": "unknown",
                "structured_output": False,
            },
        ),
        tools=[FunctionTool(double, description="Doubles.")],
        model_context=BufferedChatCompletionContext(buffer_size=5),
    )
    critic = AssistantAgent("critic", ReplayChatCompletionClient(["No.", "APPROVE"]))
    end = TextMentionTermination("APPROVE") | MaxMessageTermination(9)
    return RoundRobinGroupChat([writer, critic], termination_condition=end)


def without_descriptions(component: object) -> object:
    """Drops what autogen_core's own components say of themselves: words are the package's own."""
    if isinstance(component, list):
        return [without_descriptions(each) for each in component]
    if not isinstance(component, dict):
        return component
    described = not str(component.get("provider")).startswith("autogen_core.")
    kept = {key: each for key, each in component.items() if described or key != "description"}
    return {key: without_descriptions(each) for key, each in kept.items()}


async def main() -> None:
    text = inner().dump_component().model_dump_json()
    print(json.dumps(without_descriptions(json.loads(text)), indent=1))
    loaded = RoundRobinGroupChat.load_component(ComponentModel.model_validate_json(text))
    result = await loaded.run(task="Write.")
    print([message.to_text() for message in result.messages], result.stop_reason)

    mind = SocietyOfMindAgent("mind", inner(), ReplayChatCompletionClient(["What they agreed on."]))
    outer = RoundRobinGroupChat([mind], max_turns=1)
    result = await outer.run(task="Think.")
    print([(message.source, message.to_text()) for message in result.messages])

    broken = inner().dump_component()
    broken.config["max_turns"] = "many"
    try:
        RoundRobinGroupChat.load_component(broken)
    except ValueError as error:
        print(type(error).__name__, "max_turns" in str(error))


asyncio.run(main())
