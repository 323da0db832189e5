"""What a client for OpenAI's chat API sends, for each family of models and each kind of request."""

import asyncio
import json
import warnings
from typing import Any

from _openai import OpenAIChatCompletionClient, ScriptedServer, json_response, sse_response
from autogen_core import FunctionCall, Image
from autogen_core.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    ModelFamily,
    ModelInfo,
    SystemMessage,
    UserMessage,
)
from autogen_core.tools import FunctionTool

FAMILIES = (
    ModelFamily.GPT_4O,
    ModelFamily.O3,
    ModelFamily.R1,
    ModelFamily.UNKNOWN,
    ModelFamily.GEMINI_2_5_PRO,
    ModelFamily.CLAUDE_4_SONNET,
    ModelFamily.LLAMA_3_3_70B,
    ModelFamily.MISTRAL,
    "a family of our own",
)
DOT = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    "RU5ErkJggg=="
)
ANSWER = {
    "id": "1",
    "object": "chat.completion",
    "created": 1,
    "model": "tiny",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "ciao"},
        }
    ],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
CHUNK = {
    "id": "1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "tiny",
    "choices": [{"index": 0, "finish_reason": "stop", "delta": {"content": "ciao"}}],
}
CALLS = [
    FunctionCall(id="1", name="weather", arguments='{"city": "Turin"}'),
    FunctionCall(id="2", name="weather", arguments='{"city":  "Rome"}'),
]
RESULTS = [
    FunctionExecutionResult(content="sunny", name="weather", call_id="1", is_error=False),
    FunctionExecutionResult(content="no idea", name="weather", call_id="2", is_error=True),
]


async def weather(city: str, days: int = 1) -> str:
    """Look at the sky."""
    return "sunny"


WEATHER = FunctionTool(weather, description="Tells the weather.")


def conversation() -> list[LLMMessage]:
    return [
        SystemMessage(content="Be brief."),
        SystemMessage(content="Be polite.\n"),
        UserMessage(content="Weather?", source="me"),
        UserMessage(content=["Look at ", Image.from_base64(DOT), " this"], source="you"),
        AssistantMessage(content=CALLS, source="guide"),
        FunctionExecutionResultMessage(content=RESULTS),
        AssistantMessage(content=CALLS[:1], thought="I look again", source="guide"),
        FunctionExecutionResultMessage(content=RESULTS[:1]),
        AssistantMessage(content="Sunny.", thought="That was easy", source="guide"),
        UserMessage(content="", source="me"),
        AssistantMessage(content="Well, ", source="guide"),
    ]


def show(server: ScriptedServer, title: str) -> None:
    body = server.requests[-1].json
    print("--", title)
    for message in body.pop("messages"):
        print(json.dumps(message, sort_keys=True))
    print(json.dumps(body, sort_keys=True))


def client(server: ScriptedServer, family: str, model: str = "tiny", **more: Any) -> Any:
    several = not ModelFamily.is_gemini(family)
    info = ModelInfo(
        vision=True,
        function_calling=True,
        json_output=True,
        family=family,
        structured_output=True,
        multiple_system_messages=several,
    )
    return OpenAIChatCompletionClient(
        model=model, base_url=f"{server.url}/v1", api_key="sk-none", model_info=info, **more
    )


async def by_family(server: ScriptedServer) -> None:
    for family in FAMILIES:
        model = "claude-tiny" if ModelFamily.is_claude(family) else "tiny"
        # For Gemini, autogen-ext forgets the prefix; ours does not.
        prefixes = not ModelFamily.is_gemini(family)
        for more in ({}, {"add_name_prefixes": prefixes, "include_name_in_message": False}):
            asking = client(server, family, model, **more)
            server.play(json_response({**ANSWER, "model": model}))
            await asking.create(conversation())
            show(server, f"{family} {more}")
            await asking.close()


async def by_wish(server: ScriptedServer) -> None:
    asking = client(server, ModelFamily.GPT_4O, temperature=0.5, seed=7, stop=["."])
    hello = [UserMessage(content="Hello!", source="me")]
    wishes: list[dict[str, Any]] = [
        {"tools": [WEATHER]},
        {"tools": [WEATHER], "tool_choice": "required"},
        {"tools": [WEATHER.schema], "tool_choice": WEATHER},
        {"tools": [{"name": "stop"}], "tool_choice": "none"},
        {"tool_choice": "required"},
        {"json_output": True},
        {"json_output": False},
        {"extra_create_args": {"seed": 8, "max_tokens": 3, "logprobs": True}},
        {"extra_create_args": {"extra_body": {"top_k": 3}, "timeout": 7}},
        {"extra_create_args": {"response_format": {"type": "json_object"}}},
    ]
    for wish in wishes:
        server.play(json_response(ANSWER), sse_response(CHUNK))
        await asking.create(hello, **wish)
        show(server, f"create {sorted(wish)}")
        async for _ in asking.create_stream(hello, include_usage=True, **wish):
            pass
        show(server, f"create_stream {sorted(wish)}")
    await asking.close()


async def main() -> None:
    warnings.simplefilter("ignore")
    async with ScriptedServer() as server:
        await by_family(server)
        await by_wish(server)


asyncio.run(main())
