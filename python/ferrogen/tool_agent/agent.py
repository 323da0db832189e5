"""The tool agent: runs the tool that a message calls, and responds with the result."""

import json
from collections.abc import Sequence
from typing import List  # noqa: UP035 - upstream's spelling

from ferrogen.agents.handlers import message_handler
from ferrogen.agents.routed import RoutedAgent
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.messaging.message_context import MessageContext
from ferrogen.models.messages import FunctionExecutionResult
from ferrogen.tool_agent.exceptions import (
    InvalidToolArgumentsException,
    ToolExecutionException,
    ToolNotFoundException,
)
from ferrogen.tools.context import ORIGIN, Origin
from ferrogen.tools.guarding import scopes
from ferrogen.tools.guarding.wrapping import run_tool
from ferrogen.tools.protocol import Tool
from ferrogen.tools.results import sendable

# ruff: noqa: UP006 - annotations are part of the surface that is compared


class ToolAgent(RoutedAgent):
    """Runs tools: its response to a `FunctionCall` is a `FunctionExecutionResult`.

    Args:
        description: The description of the agent.
        tools: The tools that it runs.

    Example:
        ```python
        import asyncio

        from ferrogen import AgentId, FunctionCall, SingleThreadedAgentRuntime
        from ferrogen.tool_agent import ToolAgent
        from ferrogen.tools import FunctionTool


        def add(a: int, b: int) -> int:
            return a + b


        async def main() -> None:
            runtime = SingleThreadedAgentRuntime()
            tools = [FunctionTool(add, "Adds.")]
            await ToolAgent.register(runtime, "tools", lambda: ToolAgent("Runs tools.", tools))
            runtime.start()
            call = FunctionCall(id="call-1", arguments='{"a": 1, "b": 2}', name="add")
            result = await runtime.send_message(call, AgentId("tools", "default"))
            assert result.content == "3"
            await runtime.stop_when_idle()


        asyncio.run(main())
        ```
    """

    __module__ = "ferrogen.tool_agent"

    def __init__(self, description: str, tools: Sequence[Tool]) -> None:
        super().__init__(description)
        # A list stays the caller's, who may add tools to it.
        self._tools = tools if isinstance(tools, list) else list(tools)

    @property
    def tools(self) -> List[Tool]:
        """The tools that it runs."""
        return self._tools

    @message_handler
    async def handle_function_call(
        self, message: FunctionCall, ctx: MessageContext
    ) -> FunctionExecutionResult:
        """Run the tool that a call names.

        Args:
            message: The call; its arguments are the text of a JSON object.
            ctx: Its token is passed to the tool.

        Raises:
            ToolNotFoundException: There is no such tool.
            InvalidToolArgumentsException: The arguments are not valid JSON.
            ToolExecutionException: The tool failed, or the arguments do not fit it.
        """
        tool = self._named(message.name)
        if tool is None:
            raise ToolNotFoundException(
                message.id, f"Error: Tool not found: {message.name}", message.name
            )
        try:
            parsed = json.loads(message.arguments)
        except json.JSONDecodeError as error:
            raise InvalidToolArgumentsException(
                message.id, f"Error: Invalid arguments: {message.arguments}", message.name
            ) from error
        origin = ORIGIN.set(Origin(ctx.sender, ctx.topic_id))
        try:
            with scopes.carried(message):
                value = await run_tool(tool, parsed, ctx.cancellation_token, message.id)
            content = tool.return_value_as_string(value)
        except Exception as error:
            content = sendable(f"Error: {error}")
            raise ToolExecutionException(message.id, content, message.name) from error
        finally:
            ORIGIN.reset(origin)
        return FunctionExecutionResult(
            content=content, call_id=message.id, is_error=False, name=message.name
        )

    def _named(self, name: str) -> Tool | None:
        return next((tool for tool in self._tools if tool.name == name), None)
