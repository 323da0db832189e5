"""A run is stopped in its middle, its state goes through JSON, and a new team takes it up."""

import asyncio
import json

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import TerminationCondition
from autogen_agentchat.conditions import FunctionalTermination, MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.model_context import BufferedChatCompletionContext
from autogen_ext.models.replay import ReplayChatCompletionClient


def team(end: TerminationCondition, *lines: list[str]) -> RoundRobinGroupChat:
    agents = [
        AssistantAgent(
            name,
            ReplayChatCompletionClient([*said]),
            model_context=BufferedChatCompletionContext(buffer_size=8),
        )
        for name, said in zip(("first", "second", "third"), lines, strict=True)
    ]
    return RoundRobinGroupChat(agents, termination_condition=end)


def without_identity(state: object) -> object:
    """Drops what differs from run to run."""
    if isinstance(state, dict):
        return {k: without_identity(v) for k, v in state.items() if k not in ("id", "created_at")}
    if isinstance(state, list):
        return [without_identity(item) for item in state]
    return state


async def main() -> None:
    stop = FunctionalTermination(lambda messages: messages[-1].source == "second")
    before = team(stop, ["one", "four"], ["two", "five"], ["three", "six"])
    result = await before.run(task="Count.")
    print([message.to_text() for message in result.messages], result.stop_reason)
    state = await before.save_state()
    text = json.dumps(state)
    print(json.dumps(without_identity(state), indent=1, sort_keys=True))

    after = team(MaxMessageTermination(5), ["1", "4"], ["2", "5"], ["3", "6"])
    await after.load_state(json.loads(text))
    assert without_identity(await after.save_state()) == without_identity(state)
    result = await after.run()
    print([message.to_text() for message in result.messages], result.stop_reason)


asyncio.run(main())
