"""Assistants ask a model by OpenAI's chat API: only the import of the client differs."""

import asyncio
from typing import Any

from _openai import OpenAIChatCompletionClient, ScriptedServer, json_response, sse_response
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Handoff
from autogen_agentchat.conditions import HandoffTermination
from autogen_agentchat.messages import (
    ModelClientStreamingChunkEvent,
    StructuredMessage,
    ToolCallExecutionEvent,
)
from autogen_agentchat.teams import Swarm
from autogen_core.models import ModelFamily, ModelInfo
from pydantic import BaseModel

ABLE = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=True,
    family=ModelFamily.UNKNOWN,
    structured_output=True,
)
USAGE = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


class Weather(BaseModel):
    city: str
    degrees: float


def weather(city: str) -> str:
    """Look at the sky."""
    return f"21.5 degrees in {city}"


def complete(kind: str, **more: Any) -> dict[str, Any]:
    return {"id": "1", "object": kind, "created": 1, "model": "tiny", **more}


def said(reason: str, **message: Any) -> list[Any]:
    choice = {"index": 0, "finish_reason": reason, "message": {"role": "assistant", **message}}
    return json_response(complete("chat.completion", choices=[choice], usage=USAGE))


def called(*calls: tuple[str, str]) -> list[Any]:
    wire = [
        {
            "id": f"call-{number}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        }
        for number, (name, arguments) in enumerate(calls)
    ]
    return said("tool_calls", content=None, tool_calls=wire)


def chunk(reason: str | None = None, **delta: Any) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": reason, "delta": delta}
    return complete("chat.completion.chunk", choices=[choice])


def shown(event: Any) -> str:
    if isinstance(event, ToolCallExecutionEvent):
        return str([(result.content[:40], result.is_error) for result in event.content])
    return f"{type(event).__name__} {getattr(event, 'content', '')}"


async def use_tools(client: Any, server: ScriptedServer) -> None:
    """Parallel calls, one with invalid JSON: the model gets an error as its result."""
    server.play(
        called(("weather", '{"city": "Oslo"}'), ("weather", '{"city": ')),
        said("stop", content="It is 21.5 degrees."),
    )
    assistant = AssistantAgent("guide", client, tools=[weather], reflect_on_tool_use=True)
    result = await assistant.run(task="The weather in Oslo?")
    for message in result.messages:
        print(shown(message))
    results = [m for m in server.requests[-1].json["messages"] if m["role"] == "tool"]
    print([message["content"][:20] for message in results])


async def hand_off(client: Any, server: ScriptedServer) -> None:
    server.play(called(("transfer_to_user", "{}")))
    assistant = AssistantAgent("guide", client, handoffs=[Handoff(target="user")])
    team = Swarm([assistant], termination_condition=HandoffTermination(target="user"))
    result = await team.run(task="I want to talk to a human.")
    print(result.stop_reason, shown(result.messages[-1]))


async def answer_in_a_class(client: Any, server: ScriptedServer) -> None:
    server.play(said("stop", content='{"city": "Oslo", "degrees": 21.5}'))
    assistant = AssistantAgent("guide", client, output_content_type=Weather)
    result = await assistant.run(task="The weather?")
    message = result.messages[-1]
    assert isinstance(message, StructuredMessage)
    print(message.content)
    print(server.requests[-1].json["response_format"]["json_schema"]["name"])


async def stream(client: Any, server: ScriptedServer) -> None:
    call = {
        "index": 0,
        "id": "call-0",
        "type": "function",
        "function": {"name": "weather", "arguments": '{"city": '},
    }
    rest = {"index": 0, "function": {"arguments": '"Rome"}'}}
    usage = complete("chat.completion.chunk", choices=[], usage=USAGE)
    server.play(
        sse_response(
            chunk(role="assistant", content="Let me "),
            chunk(content="look."),
            chunk(tool_calls=[call]),
            chunk(tool_calls=[rest]),
            chunk("tool_calls"),
            usage,
        ),
        sse_response(chunk(content="21.5 "), chunk(content="degrees."), chunk("stop"), usage),
    )
    assistant = AssistantAgent(
        "guide", client, tools=[weather], model_client_stream=True, reflect_on_tool_use=True
    )
    async for event in assistant.run_stream(task="The weather in Rome?"):
        if isinstance(event, ModelClientStreamingChunkEvent):
            print("piece", repr(event.content))
        else:
            print(shown(event))


async def main() -> None:
    async with ScriptedServer() as server:
        client = OpenAIChatCompletionClient(
            model="tiny", base_url=f"{server.url}/v1", api_key="sk-none", model_info=ABLE
        )
        for use in (use_tools, hand_off, answer_in_a_class, stream):
            print("--", use.__name__)
            await use(client, server)
        await client.close()


asyncio.run(main())
