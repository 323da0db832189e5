"""A model asks for tools, an agent of the user's own runtime executes them, until it is content."""

import asyncio
import json

from _replay import tool_calls, tool_model
from autogen_core import (
    AgentId,
    FunctionCall,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from autogen_core.models import (
    CreateResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    SystemMessage,
    UserMessage,
)
from autogen_core.tool_agent import (
    InvalidToolArgumentsException,
    ToolAgent,
    ToolExecutionException,
    ToolNotFoundException,
    tool_agent_caller_loop,
)
from autogen_core.tools import FunctionTool, Tool, ToolSchema
from autogen_ext.models.replay import ReplayChatCompletionClient
from pydantic import BaseModel

PRICES = {"tea": 3, "cake": 4}


class Order(BaseModel):
    text: str


def price(item: str) -> int:
    """Look up a price."""
    return PRICES[item]


async def add(numbers: list[int]) -> int:
    """Add numbers."""
    return sum(numbers)


def calls(*named: tuple[str, dict[str, object]]) -> CreateResult:
    return tool_calls(
        *(
            FunctionCall(id=f"{name}-{number}", name=name, arguments=json.dumps(arguments))
            for number, (name, arguments) in enumerate(named)
        )
    )


class Waiter(RoutedAgent):
    def __init__(self, client: ReplayChatCompletionClient, schemas: list[ToolSchema]) -> None:
        super().__init__("takes orders")
        self.client, self.schemas = client, schemas
        self.manners = SystemMessage(content="You are a waiter.")

    @message_handler
    async def on_order(self, message: Order, ctx: MessageContext) -> str:
        session: list[LLMMessage] = [self.manners, UserMessage(content=message.text, source="user")]
        produced = await tool_agent_caller_loop(
            self,
            tool_agent_id=AgentId("tools", self.id.key),
            model_client=self.client,
            input_messages=session,
            tool_schema=self.schemas,
            cancellation_token=ctx.cancellation_token,
        )
        for each in produced:
            if isinstance(each, FunctionExecutionResultMessage):
                # The text of an error is not compared.
                print([(got.name, got.is_error or got.content) for got in each.content])
            else:
                print(each.type, each.content)
        return str(produced[-1].content)


async def main() -> None:
    tools: list[Tool] = [
        FunctionTool(price, description="Look up a price."),
        FunctionTool(add, description="Add numbers."),
    ]
    client = tool_model(
        calls(("price", {"item": "tea"}), ("price", {"item": "cake"})),
        calls(("add", {"numbers": [3, 4]})),
        "That makes 7.",
        calls(("price", {"item": "beer"}), ("price", {"item": "tea"})),
        "There is no beer.",
    )
    runtime = SingleThreadedAgentRuntime()
    await ToolAgent.register(runtime, "tools", lambda: ToolAgent("executes", tools))
    schemas = [tool.schema for tool in tools]
    await Waiter.register(runtime, "waiter", lambda: Waiter(client, schemas))
    runtime.start()
    for text in ("Tea and cake.", "Beer and tea."):
        print("=>", await runtime.send_message(Order(text=text), AgentId("waiter", "table-1")))
    print([len(asked["messages"]) for asked in client.create_calls])

    for name, arguments in (("price", "{}"), ("price", "half a"), ("dance", "{}")):
        call = FunctionCall(id="1", name=name, arguments=arguments)
        try:
            await runtime.send_message(call, AgentId("tools", "table-1"))
        except ToolNotFoundException as error:
            print("not found:", error.name, error.call_id)
        except InvalidToolArgumentsException as error:
            print("invalid:", error.name, error.call_id)
        except ToolExecutionException as error:
            print("failed:", error.name, error.call_id)
    await runtime.stop_when_idle()


asyncio.run(main())
