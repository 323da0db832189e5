"""The caller loop: a model calls tools of a tool agent until it responds with text."""

import asyncio
from typing import List  # noqa: UP035 - upstream's spelling

from ferrogen._agents.base import BaseAgent
from ferrogen._core import AgentId, CancellationToken
from ferrogen._messaging.function_call import FunctionCall
from ferrogen._runtime.protocol import AgentRuntime
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
)
from ferrogen.models.results import CreateResult
from ferrogen.tool_agent.exceptions import ToolException
from ferrogen.tools.protocol import Tool
from ferrogen.tools.schema import ToolSchema

# ruff: noqa: UP006 - annotations are part of the surface that is compared


async def tool_agent_caller_loop(
    caller: BaseAgent | AgentRuntime,
    tool_agent_id: AgentId,
    model_client: ChatCompletionClient,
    input_messages: List[LLMMessage],
    tool_schema: List[ToolSchema] | List[Tool],
    cancellation_token: CancellationToken | None = None,
    caller_source: str = "assistant",
) -> List[LLMMessage]:
    """Call a model and the tools that it calls, until it responds without calls.

    The calls of one response are made concurrently. The text of a `ToolException` is sent to the
    model as the result of the call.

    Args:
        caller: The sender of the calls.
        tool_agent_id: The `ToolAgent` that gets them.
        model_client: The model.
        input_messages: The first messages of the request.
        tool_schema: The tools that the model may call.
        cancellation_token: Ends requests and calls when it is cancelled.
        caller_source: The source of the model's responses.

    Returns:
        The messages that were added: responses of the model and results of calls, the last one a
        response without calls.

    Raises:
        Exception: What the model client raised, or a call, other than a `ToolException`.

    Example:
        ```python
        from ferrogen import AgentId, MessageContext, RoutedAgent, message_handler
        from ferrogen.models import ChatCompletionClient, UserMessage
        from ferrogen.tool_agent import tool_agent_caller_loop
        from ferrogen.tools import Tool


        class Assistant(RoutedAgent):
            def __init__(self, client: ChatCompletionClient, tools: list[Tool]) -> None:
                super().__init__("Responds with the help of tools.")
                self.client, self.tools = client, tools

            @message_handler
            async def on_question(self, message: str, ctx: MessageContext) -> str:
                messages = await tool_agent_caller_loop(
                    self,
                    AgentId("tools", self.id.key),
                    self.client,
                    [UserMessage(content=message, source="user")],
                    self.tools,
                    ctx.cancellation_token,
                )
                return str(messages[-1].content)
        ```
    """
    added: List[LLMMessage] = []
    while True:
        response = await model_client.create(
            input_messages + added, tools=tool_schema, cancellation_token=cancellation_token
        )
        added.append(AssistantMessage(content=response.content, source=caller_source))
        calls = _calls_of(response)
        if not calls:
            return added
        outcomes = await asyncio.gather(
            *(
                caller.send_message(call, tool_agent_id, cancellation_token=cancellation_token)
                for call in calls
            ),
            return_exceptions=True,
        )
        added.append(FunctionExecutionResultMessage(content=[_result(each) for each in outcomes]))


def _calls_of(response: CreateResult) -> list[FunctionCall]:
    return response.content if isinstance(response.content, list) else []


def _result(outcome: FunctionExecutionResult | BaseException) -> FunctionExecutionResult:
    if isinstance(outcome, ToolException):
        return FunctionExecutionResult(
            content=str(outcome), call_id=outcome.call_id, is_error=True, name=outcome.name
        )
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome
