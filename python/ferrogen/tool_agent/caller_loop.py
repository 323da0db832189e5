"""The caller loop: a model calls tools of a tool agent until it responds with text."""

import asyncio
import itertools
from collections.abc import Sequence
from typing import List  # noqa: UP035 - upstream's spelling

from ferrogen._core import AgentId, CancellationToken
from ferrogen.agents.base import BaseAgent
from ferrogen.exceptions import (
    CantHandleException,
    MessageDroppedException,
    UndeliverableException,
)
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.client import ChatCompletionClient
from ferrogen.models.messages import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    LLMMessage,
)
from ferrogen.models.results import CreateResult
from ferrogen.runtime.protocols import AgentRuntime
from ferrogen.tool_agent.exceptions import MaxTurnsExceededError, ToolException
from ferrogen.tools.guarding import scopes
from ferrogen.tools.protocol import Tool
from ferrogen.tools.results import sendable
from ferrogen.tools.schema import ToolSchema

# Errors of the program, which no model can correct.
_NOT_A_CALL = (UndeliverableException, CantHandleException, MessageDroppedException)

# ruff: noqa: UP006 - annotations are part of the surface that is compared


async def tool_agent_caller_loop(
    caller: BaseAgent | AgentRuntime,
    tool_agent_id: AgentId,
    model_client: ChatCompletionClient,
    input_messages: Sequence[LLMMessage],
    tool_schema: Sequence[ToolSchema | Tool],
    cancellation_token: CancellationToken | None = None,
    caller_source: str = "assistant",
    *,
    max_turns: int | None = None,
) -> List[LLMMessage]:
    """Call a model and the tools that it calls, until it responds without calls.

    The calls of one response run concurrently; their results are in the order of the calls. The
    text of the error of a call that fails goes to the model as its result, and does not affect the
    others.

    Args:
        caller: The sender of the calls.
        tool_agent_id: The `ToolAgent` that runs the tools.
        model_client: The model.
        input_messages: The messages before the first response.
        tool_schema: The tools that the model may call.
        cancellation_token: Cancels requests and calls.
        caller_source: The source of the model's messages.
        max_turns: The largest number of requests; by default there is no limit.

    Returns:
        The messages that were added: responses of the model with their thoughts, and results of
        calls. The last one is a response without calls.

    Raises:
        MaxTurnsExceededError: The last response has calls. They were not made; the error has the
            messages up to it.
        ValueError: ``max_turns`` is not positive.
        UndeliverableException: A call could not be delivered, or the agent takes no calls: a
            `CantHandleException`.
        Exception: The model client failed.

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
    if max_turns is not None and max_turns < 1:
        raise ValueError(f"max_turns is {max_turns}; give a number above 0, or None for no limit")
    added: List[LLMMessage] = []
    for turn in itertools.count(1):
        response = await model_client.create(
            [*input_messages, *added], tools=tool_schema, cancellation_token=cancellation_token
        )
        added.append(
            AssistantMessage(
                content=response.content, source=caller_source, thought=response.thought
            )
        )
        calls = _calls_of(response)
        if not calls:
            break
        if turn == max_turns:
            names = ", ".join(call.name for call in calls)
            raise MaxTurnsExceededError(
                f"the model still calls {names} in turn {turn} of {max_turns}; raise max_turns, or"
                " continue from the messages of this error",
                messages=added,
            )
        with scopes.carry(*calls):
            outcomes = await asyncio.gather(
                *(
                    caller.send_message(call, tool_agent_id, cancellation_token=cancellation_token)
                    for call in calls
                ),
                return_exceptions=True,
            )
        results = [_result(call, each) for call, each in zip(calls, outcomes, strict=True)]
        added.append(FunctionExecutionResultMessage(content=results))
    return added


def _calls_of(response: CreateResult) -> list[FunctionCall]:
    return response.content if isinstance(response.content, list) else []


def _result(
    call: FunctionCall, outcome: FunctionExecutionResult | BaseException
) -> FunctionExecutionResult:
    if isinstance(outcome, ToolException):
        return FunctionExecutionResult(
            content=str(outcome), call_id=outcome.call_id, is_error=True, name=outcome.name
        )
    if isinstance(outcome, _NOT_A_CALL) or not isinstance(
        outcome, (Exception, FunctionExecutionResult)
    ):
        raise outcome
    if isinstance(outcome, Exception):
        content = sendable(f"Error: {str(outcome) or type(outcome).__name__}")
        return FunctionExecutionResult(
            content=content, call_id=call.id, is_error=True, name=call.name
        )
    return outcome
