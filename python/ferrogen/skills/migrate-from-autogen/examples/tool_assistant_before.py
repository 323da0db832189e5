"""An assistant with a tool, whose tool was saved as a config. Written for AutoGen."""

import asyncio
from dataclasses import dataclass

from autogen_core import (
    AgentId,
    CancellationToken,
    FunctionCall,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from autogen_core.models import (
    ChatCompletionClient,
    CreateResult,
    ModelInfo,
    RequestUsage,
    UserMessage,
)
from autogen_core.tool_agent import ToolAgent, tool_agent_caller_loop
from autogen_core.tools import FunctionTool
from autogen_ext.models.replay import ReplayChatCompletionClient


@dataclass
class Question:
    text: str


def double(number: int) -> int:
    return 2 * number


class Assistant(RoutedAgent):
    def __init__(self, model: ChatCompletionClient, tool: FunctionTool) -> None:
        super().__init__("Calculates.")
        self.model, self.tool = model, tool

    @message_handler
    async def answer(self, message: Question, ctx: MessageContext) -> str:
        added = await tool_agent_caller_loop(
            self,
            AgentId("tools", self.id.key),
            self.model,
            [UserMessage(content=message.text, source="user")],
            [self.tool],
            ctx.cancellation_token,
        )
        return str(added[-1].content)


def scripted_model() -> ChatCompletionClient:
    call = FunctionCall(id="call_1", name="double", arguments='{"number": 21}')
    usage = RequestUsage(0, 0)
    return ReplayChatCompletionClient(
        [
            CreateResult(finish_reason="function_calls", content=[call], usage=usage, cached=False),
            "The double of 21 is 42.",
        ],
        model_info=ModelInfo(
            vision=False,
            function_calling=True,
            json_output=False,
            family="unknown",
            structured_output=False,
        ),
    )


async def main() -> None:
    saved = FunctionTool(double, description="Double a number.").dump_component()
    tool = FunctionTool.load_component(saved)
    print("the tool returns", await tool.run_json({"number": 4}, CancellationToken()))
    runtime = SingleThreadedAgentRuntime()
    await ToolAgent.register(runtime, "tools", lambda: ToolAgent("Runs tools.", [tool]))
    await Assistant.register(runtime, "assistant", lambda: Assistant(scripted_model(), tool))
    runtime.start()
    print(await runtime.send_message(Question("Double 21"), AgentId("assistant", "default")))
    try:
        await runtime.send_message(Question("Anything"), AgentId("asistant", "default"))
    except Exception as error:
        if str(error) != "Recipient not found":
            raise
        print("there is no such agent")
    await runtime.stop_when_idle()


asyncio.run(main())
