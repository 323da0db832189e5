"""An assistant of AgentChat that thinks with our client; test_agentchat.py runs it.

    ferrogen run agentchat_program.py BASE_URL SCENARIO

It prints a line for each message of the run.
"""

import asyncio
import sys

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Handoff, Response
from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken
from pydantic import BaseModel

from ferrogen.models.anthropic import AnthropicChatCompletionClient


class Forecast(BaseModel):
    sky: str
    degrees: int


async def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"sunny in {city}"


SCENARIOS = {
    "tools": {"tools": [weather], "reflect_on_tool_use": True},
    "streamed tools": {
        "tools": [weather],
        "reflect_on_tool_use": True,
        "model_client_stream": True,
    },
    "several rounds": {"tools": [weather], "max_tool_iterations": 3},
    "handoff": {"handoffs": [Handoff(target="pilot")]},
    "structured": {"output_content_type": Forecast},
    "structured with tools": {
        "tools": [weather],
        "output_content_type": Forecast,
        "model_client_stream": True,
    },
}


async def main(base_url: str, scenario: str) -> None:
    client = AnthropicChatCompletionClient(
        model="claude-sonnet-4-5",
        api_key="none",
        base_url=base_url,
        max_retries=0,
        thinking={"type": "enabled", "budget_tokens": 1024},
    )
    guide = AssistantAgent("guide", client, **SCENARIOS[scenario])
    question = TextMessage(content="Weather in Turin?", source="user")
    async for item in guide.on_messages_stream([question], CancellationToken()):
        message = item.chat_message if isinstance(item, Response) else item
        print(f"{type(message).__name__}: {message.to_text()}")
    print(client.total_usage().prompt_tokens)
    await client.close()


asyncio.run(main(*sys.argv[1:]))
