"""A writer and a critic on AgentChat take turns, and every word is shown as it comes.

    python examples/team.py            runs on AutoGen's own runtime
    ferrogen run examples/team.py      runs on Ferrogen: the same file

OPENAI_BASE_URL, OPENAI_API_KEY and MODEL say which language model the two think with.
"""

import argparse
import asyncio
import logging
import os
import signal
import statistics
import sys
import time
from collections.abc import Mapping, Sequence

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, Team
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.ui import Console
from autogen_core import CancellationToken, SingleThreadedAgentRuntime
from autogen_core.models import ChatCompletionClient, ModelFamily, ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_ext.models.replay import ReplayChatCompletionClient

DEFAULT_TASK = "Write the first sentence of a story about a frog."
ROLES = {
    "writer": "You are a writer. You answer with one sentence.",
    "critic": "You are a critic. You tell the writer in one sentence how to improve the text.",
}
# The client knows OpenAI's models only; any other needs a description of its abilities.
ABILITIES = ModelInfo(
    vision=False,
    function_calling=False,
    json_output=False,
    structured_output=False,
    family=ModelFamily.UNKNOWN,
)
REPLAYS = 20


def team_of(clients: Mapping[str, ChatCompletionClient], turns: int) -> RoundRobinGroupChat:
    """Returns the team of the writer and the critic, each with its client."""
    members: list[ChatAgent | Team] = [
        AssistantAgent(name, clients[name], system_message=role, model_client_stream=True)
        for name, role in ROLES.items()
    ]
    return RoundRobinGroupChat(members, max_turns=turns)


async def converse(task: str, turns: int, max_tokens: int) -> Sequence[TextMessage]:
    """Lets the two talk, streamed to the console; returns what each said, the task first."""
    client = OpenAIChatCompletionClient(
        model=os.environ.get("MODEL", "gpt-4o-mini"),
        api_key=os.environ.get("OPENAI_API_KEY") or "none",
        model_info=ABILITIES,
        max_tokens=max_tokens,
        temperature=0,
        frequency_penalty=0.8,  # a small model repeats itself if it may
    )
    # Ctrl+C goes the way that AgentChat has for it; a cancelled task would wait for the last turn.
    token = CancellationToken()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, token.cancel)
    try:
        team = team_of(dict.fromkeys(ROLES, client), turns)
        result = await Console(team.run_stream(task=task, cancellation_token=token))
    finally:
        await client.close()
    return [message for message in result.messages if isinstance(message, TextMessage)]


async def replay(task: TextMessage, said: Sequence[TextMessage]) -> float:
    """Repeats the conversation from the recorded words; returns the seconds of a turn."""
    clients = {
        name: ReplayChatCompletionClient([each.content for each in said if each.source == name])
        for name in ROLES
    }
    team = team_of(clients, len(said))
    start = time.perf_counter()
    await team.run(task=task)
    return (time.perf_counter() - start) / len(said)


async def show(arguments: argparse.Namespace) -> None:
    """Holds the conversation, replays it in silence, and prints what each took."""
    start = time.perf_counter()
    task, *said = await converse(arguments.task, arguments.turns, arguments.max_tokens)
    wall_time = time.perf_counter() - start
    # With no model to wait for, a turn takes what AgentChat and the runtime take.
    outside = statistics.median([await replay(task, said) for _ in range(REPLAYS)])
    print(
        f"""
runtime               {SingleThreadedAgentRuntime.__module__.partition(".")[0]}
turns                 {len(said)}
wall time             {wall_time:.2f} s
outside the model     {outside * 1e3:.2f} ms per turn, for the same words without the model"""
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="A writer and a critic take turns.")
    parser.add_argument("task", nargs="?", default=DEFAULT_TASK)
    parser.add_argument("--turns", type=positive, default=3, metavar="N")
    parser.add_argument("--max-tokens", type=positive, default=60, metavar="N")
    arguments = parser.parse_args()
    if not (os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_KEY")):
        parser.error("set OPENAI_API_KEY, or OPENAI_BASE_URL for a model of your own")
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # a model may say anything
    # What goes wrong inside the team is logged by the runtime and raised by the team; once will do.
    logging.getLogger("autogen_core").setLevel(logging.CRITICAL)
    try:
        asyncio.run(show(arguments))
    except RuntimeError as error:  # what the team makes of every error; a traceback follows in it
        sys.exit(f"team: {str(error).splitlines()[0]}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("team: interrupted", file=sys.stderr)
        sys.exit(130)


def positive(text: str) -> int:
    if (number := int(text)) < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    main()
