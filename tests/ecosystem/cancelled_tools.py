"""A tool is cancelled while it runs: prints how the stream of an agent and of a team ends."""

import asyncio
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import TextMessage, ToolCallExecutionEvent, ToolCallRequestEvent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.tools import AgentTool
from autogen_core import CancellationToken, FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_ext.models.replay import ReplayChatCompletionClient

PATIENCE = float(sys.argv[1])
ABLE = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "structured_output": False,
    "family": "unknown",
}
started = threading.Event()
release = threading.Event()


async def waits() -> str:
    started.set()
    await asyncio.Event().wait()
    return "never"


def blocks() -> str:
    started.set()
    release.wait()
    return "never"


async def cancels_itself() -> str:
    started.set()
    raise asyncio.CancelledError


def agent(
    tool: Any, name: str, arguments: str = "{}", handoffs: list[Any] | None = None
) -> AssistantAgent:
    call = FunctionCall(id="1", name=name, arguments=arguments)
    usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
    answer = CreateResult(finish_reason="function_calls", content=[call], usage=usage, cached=False)
    client = ReplayChatCompletionClient([answer, "done"], model_info=ABLE)
    return AssistantAgent("assistant", client, tools=[tool], handoffs=handoffs)


AGENTS: dict[str, Callable[[], AssistantAgent]] = {
    "waits": lambda: agent(waits, "waits"),
    "blocks": lambda: agent(blocks, "blocks"),
    "cancels itself": lambda: agent(cancels_itself, "cancels_itself"),
    "an agent as a tool": lambda: agent(
        AgentTool(agent(waits, "waits")), "assistant", '{"task": "t"}'
    ),
    "a handoff": lambda: agent(waits, "transfer_to_user", handoffs=["user"]),
}


async def show(label: str, stream: AsyncIterator[Any], token: CancellationToken) -> None:
    async def consume() -> list[Any]:
        items = []
        async for item in stream:
            items.append(item)
            if label.startswith("a handoff") and isinstance(item, ToolCallRequestEvent):
                token.cancel()  # before the handoff runs
                started.set()
        return items

    started.clear()
    task = asyncio.ensure_future(consume())
    await asyncio.to_thread(started.wait)
    if not label.startswith("cancels itself"):
        token.cancel()
    await asyncio.wait({task}, timeout=PATIENCE)
    if not task.done():
        outcome = "hangs"
    elif task.cancelled():
        outcome = "is cancelled"
    else:
        results = [item for item in task.result() if isinstance(item, ToolCallExecutionEvent)]
        outcome = f"ends with an error: {results[-1].content[0].is_error}"
    print(label, outcome)


async def main() -> None:
    for name, make in AGENTS.items():
        token = CancellationToken()
        question = [TextMessage(content="?", source="user")]
        await show(f"{name}, alone:", make().on_messages_stream(question, token), token)
        token = CancellationToken()
        team = RoundRobinGroupChat([make()], max_turns=1)
        await show(
            f"{name}, in a team:", team.run_stream(task="?", cancellation_token=token), token
        )
    release.set()
    sys.stdout.flush()
    os._exit(0)  # what hangs is not waited for


logging.disable(logging.CRITICAL)
asyncio.run(main())
