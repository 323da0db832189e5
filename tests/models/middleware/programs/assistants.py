"""Assistants of AgentChat on a client with wrappers, whose server fails once and is asked once."""

import asyncio

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ModelClientStreamingChunkEvent, ToolCallExecutionEvent
from autogen_agentchat.teams import RoundRobinGroupChat
from scripted_server import ScriptedServer, json_response, sse_response

from ferrogen.models.middleware import Cached, Retrying
from ferrogen.models.openai import OpenAIChatCompletionClient


def whole(content):
    message = {"role": "assistant", "content": content}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json_response(
        {"choices": [choice], "usage": {"prompt_tokens": 20, "completion_tokens": 2}}
    )


def piece(reason=None, **delta):
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}


def call(**parts):
    return piece(tool_calls=[{"index": 0, **parts}])


USAGE = {"choices": [], "usage": {"prompt_tokens": 30, "completion_tokens": 3}}
BUSY = json_response({"error": {"message": "slow down"}}, 429, {"retry-after": "0"})
CALL = sse_response(
    call(id="1", function={"name": "distance", "arguments": '{"to": '}),
    call(function={"arguments": '"Turin"}'}),
    piece("tool_calls"),
    USAGE,
)
FINAL = sse_response(piece(content="It is "), piece(content="7 km."), piece("stop"), USAGE)


async def distance(to: str) -> str:
    """Return the distance."""
    return f"7 km to {to}"


async def use_a_tool(client):
    """Stream the run of a new assistant that has a tool and reflects on its results."""
    assistant = AssistantAgent(
        "guide",
        client,
        tools=[distance],
        reflect_on_tool_use=True,
        model_client_stream=True,
    )
    said = []
    async for item in assistant.run_stream(task="How far is Turin?"):
        if isinstance(item, ModelClientStreamingChunkEvent):
            said.append(item.content)
        elif isinstance(item, ToolCallExecutionEvent):
            said.append(item.content[0].content)
    return said


async def talk(client):
    """Let two assistants have a word each."""
    team = RoundRobinGroupChat(
        [AssistantAgent("guide", client), AssistantAgent("critic", client)], max_turns=2
    )
    result = await team.run(task="Is Turin worth it?")
    return [message.content for message in result.messages[1:]]


async def main():
    async with ScriptedServer() as server:
        inner = OpenAIChatCompletionClient(
            model="gpt-4o", base_url=f"{server.url}/v1", api_key="none", max_retries=0
        )
        client = Retrying(Cached(inner), first_delay=0.001)

        server.play(BUSY, CALL, FINAL)
        for _ in range(2):  # the second time all of it is remembered
            print(await use_a_tool(client), len(server.requests))

        server.play(whole("It is."), whole("Indeed."))
        print(await talk(client))
        agents = {name.split("_")[0]: used for name, used in inner.ledger.agents.items()}
        print({name: used.prompt_tokens for name, used in agents.items()})
        print([used.prompt_tokens for used in inner.ledger.conversations.values()])
        print(client.actual_usage().prompt_tokens, client.total_usage().prompt_tokens)
        await client.close()


asyncio.run(main())
