"""A human is asked in the middle of a run, approves, and is asked nothing when cancelled."""

import asyncio

from autogen_agentchat.agents import AssistantAgent, UserProxyAgent
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.messages import UserInputRequestedEvent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.ui import Console, UserInputManager
from autogen_core import CancellationToken
from autogen_ext.models.replay import ReplayChatCompletionClient

ANSWERS = iter(["Shorter, please.", "APPROVE"])


async def ask(prompt: str, cancellation_token: CancellationToken | None) -> str:
    await asyncio.sleep(0)  # a person takes a moment
    answer = next(ANSWERS)
    print(f"asked {prompt!r}, answers {answer!r}")
    return answer


def ask_at_once(prompt: str) -> str:
    return "APPROVE"


async def main() -> None:
    poet = AssistantAgent("poet", ReplayChatCompletionClient(["A long poem.", "A poem."] * 2))
    end = TextMentionTermination("APPROVE")
    team = RoundRobinGroupChat(
        [poet, UserProxyAgent("user_proxy", input_func=ask)], termination_condition=end
    )
    async for item in team.run_stream(task="A poem."):
        if isinstance(item, UserInputRequestedEvent):
            print("input is requested from", item.source)
    await team.reset()

    inputs = UserInputManager(callback=ask_at_once)
    human = UserProxyAgent("human", input_func=inputs.get_wrapped_callback())
    team = RoundRobinGroupChat([poet, human], termination_condition=end)
    result = await Console(team.run_stream(task="Another."), user_input_manager=inputs)
    print(result.stop_reason)


asyncio.run(main())
