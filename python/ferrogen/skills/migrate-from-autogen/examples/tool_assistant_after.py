"""An assistant with a tool, whose tool was saved as a config. Moved to Ferrogen."""

import asyncio
from dataclasses import dataclass

from ferrogen import (
    AgentId,
    CancellationToken,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from ferrogen.exceptions import RecipientNotFoundError
from ferrogen.models import ChatCompletionClient, UserMessage
from ferrogen.testing import ScriptedModel
from ferrogen.tool_agent import ToolAgent, tool_agent_caller_loop
from ferrogen.tools import FunctionTool, allow_source_text


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
            max_turns=5,  # changed: a model that calls tools forever is an error
        )
        return str(added[-1].content)


def scripted_model() -> ChatCompletionClient:
    # Changed: a scripted model can do everything by default, and a tool call is one line.
    return ScriptedModel([ScriptedModel.call("double", number=21), "The double of 21 is 42."])


async def main() -> None:
    saved = FunctionTool(double, description="Double a number.").dump_component()
    with allow_source_text():  # changed: the config is source code, and this program trusts it
        tool = FunctionTool.load_component(saved)
    print("the tool returns", await tool.run_json({"number": 4}, CancellationToken()))
    runtime = SingleThreadedAgentRuntime()
    await ToolAgent.register(runtime, "tools", lambda: ToolAgent("Runs tools.", [tool]))
    await Assistant.register(runtime, "assistant", lambda: Assistant(scripted_model(), tool))
    runtime.start()
    print(await runtime.send_message(Question("Double 21"), AgentId("assistant", "default")))
    try:
        await runtime.send_message(Question("Anything"), AgentId("asistant", "default"))
    except RecipientNotFoundError:  # changed: an error with a name, and a longer text
        print("there is no such agent")
    await runtime.stop_when_idle()


asyncio.run(main())
