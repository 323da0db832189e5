"""Many teams at once, on runtimes of their own and on one that they share."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import TaskResult
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import SingleThreadedAgentRuntime
from autogen_ext.models.replay import ReplayChatCompletionClient


def team(number: int, runtime: SingleThreadedAgentRuntime | None = None) -> RoundRobinGroupChat:
    members = [
        AssistantAgent(name, ReplayChatCompletionClient([f"{name} {number}"] * 20))
        for name in ("left", "right")
    ]
    return RoundRobinGroupChat(
        members, termination_condition=MaxMessageTermination(5), runtime=runtime
    )


def said(result: TaskResult) -> str:
    return " ".join(message.to_text() for message in result.messages)


async def at_once() -> None:
    results = await asyncio.gather(*(team(n).run(task=f"Task {n}:") for n in range(8)))
    print(*map(said, results), sep="\n")


async def on_one_runtime() -> None:
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    teams = [team(n, runtime) for n in range(8)]
    results = await asyncio.gather(*(each.run(task="Shared:") for each in teams))
    print(*map(said, results), sep="\n")
    await asyncio.gather(*(each.reset() for each in teams))
    state = await teams[0].save_state()
    print(sorted(state["agent_states"]))
    await runtime.stop_when_idle()
    runtime.start()
    print(said(await teams[7].run(task="Once more:")))
    await runtime.stop()


async def main() -> None:
    await at_once()
    await on_one_runtime()


asyncio.run(main())
