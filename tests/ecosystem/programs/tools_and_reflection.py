"""An assistant calls tools in parallel, reflects on the results, and remembers."""

import asyncio
from typing import Annotated

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import StructuredMessage, TextMessage
from autogen_core import CancellationToken, FunctionCall
from autogen_core.memory import ListMemory, MemoryContent, MemoryMimeType
from autogen_core.model_context import BufferedChatCompletionContext
from autogen_core.models import CreateResult, ModelFamily, ModelInfo, RequestUsage
from autogen_core.tools import FunctionTool, StaticWorkbench
from autogen_ext.models.replay import ReplayChatCompletionClient
from pydantic import BaseModel

ABLE = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=True,
    family=ModelFamily.GPT_4O,
    structured_output=True,
)


class Weather(BaseModel):
    city: str
    degrees: float


async def weather(city: Annotated[str, "Its name"], celsius: bool = True) -> Weather:
    """Look at the sky."""
    return Weather(city=city, degrees=21.5 if celsius else 70.7)


def fail(reason: str) -> str:
    """Always fail."""
    raise ValueError(reason)


def calls(*named: tuple[str, str]) -> CreateResult:
    return CreateResult(
        finish_reason="function_calls",
        content=[
            FunctionCall(id=f"call-{number}", name=name, arguments=arguments)
            for number, (name, arguments) in enumerate(named)
        ],
        usage=RequestUsage(prompt_tokens=10, completion_tokens=5),
        cached=False,
    )


async def main() -> None:
    memory = ListMemory()
    await memory.add(MemoryContent(content="Prefers Celsius.", mime_type=MemoryMimeType.TEXT))
    client = ReplayChatCompletionClient(
        [
            calls(
                ("weather", '{"city": "Oslo"}'),
                ("fail", '{"reason": "no luck"}'),
                ("nowhere", "{}"),
            ),
            "It is 21.5 degrees in Oslo.",
        ],
        model_info=ABLE,
    )
    assistant = AssistantAgent(
        "assistant",
        client,
        tools=[FunctionTool(weather, description="Look at the sky."), fail],
        memory=[memory],
        model_context=BufferedChatCompletionContext(buffer_size=20),
        reflect_on_tool_use=True,
    )
    async for item in assistant.run_stream(task="How is the weather in Oslo?"):
        print(item.to_text() if hasattr(item, "to_text") else item.stop_reason)
    print([type(message).__name__ for message in client.create_calls[-1]["messages"]])
    print(client.create_calls[0]["messages"][-1].content)
    print((await assistant.save_state())["llm_context"]["messages"][-1]["content"])

    structured = AssistantAgent(
        "structured",
        ReplayChatCompletionClient(['{"city": "Rome", "degrees": 30}'], model_info=ABLE),
        workbench=StaticWorkbench([FunctionTool(weather, description="Look at the sky.")]),
        output_content_type=Weather,
    )
    message = TextMessage(content="Rome?", source="user")
    response = await structured.on_messages([message], CancellationToken())
    assert isinstance(response.chat_message, StructuredMessage)
    print(repr(response.chat_message.content))
    print(response.chat_message.to_text())


asyncio.run(main())
