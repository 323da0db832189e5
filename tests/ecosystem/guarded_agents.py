"""Guards around unmodified agents and teams: prints what the tools did and what the model got."""

import asyncio
import logging
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.messages import ToolCallExecutionEvent
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.tools import AgentTool
from autogen_core import FunctionCall
from autogen_core.models import CreateResult, RequestUsage
from autogen_core.tools import FunctionTool, StaticWorkbench
from autogen_ext.models.replay import ReplayChatCompletionClient

from ferrogen.tools import Approval, Ask, Deny, Guard, ToolCall

ABLE = {
    "vision": False,
    "function_calling": True,
    "json_output": False,
    "structured_output": False,
    "family": "unknown",
}
paid: list[int] = []


def pay(amount: int) -> str:
    paid.append(amount)
    return f"paid {amount}"


def agent(*amounts: int, **options: Any) -> AssistantAgent:
    calls = [FunctionCall(str(n), f'{{"amount": {n}}}', "pay") for n in amounts]
    return calling(calls, **options)


def calling(calls: list[FunctionCall], **options: Any) -> AssistantAgent:
    usage = RequestUsage(prompt_tokens=1, completion_tokens=1)
    answer = CreateResult(finish_reason="function_calls", content=calls, usage=usage, cached=False)
    client = ReplayChatCompletionClient([answer, "done"], model_info=ABLE)
    return AssistantAgent("assistant", client, **(options or {"tools": [pay]}))


def few(call: ToolCall) -> Deny | None:
    return Deny("too much") if call.arguments.get("amount", 0) > 10 else None


async def show(label: str, runnable: Any) -> None:
    paid.clear()
    result = await asyncio.wait_for(runnable.run(task="?"), 150)
    results = [
        f"{each.content} (error: {each.is_error})"
        for message in result.messages
        if isinstance(message, ToolCallExecutionEvent)
        for each in message.content
    ]
    print(f"{label}: paid {sorted(paid)}, results {results}")


async def main() -> None:
    with Guard(few) as guard:
        await show("tools", agent(5, 50))
        await show("workbench", agent(5, 50, workbench=StaticWorkbench([FunctionTool(pay, "d")])))
        await show("team", RoundRobinGroupChat([agent(5, 50)], max_turns=1))
        inner = AgentTool(agent(5, 50))
        call = FunctionCall("1", '{"task": "pay"}', "assistant")
        await show("agent as a tool", calling([call], tools=[inner]))
    print(f"calls: {guard.spent.calls}")

    questions: asyncio.Queue[Approval] = asyncio.Queue()
    with Guard(Ask.tools("pay"), on_ask="wait", on_pending=questions.put_nowait) as guard:
        running = asyncio.ensure_future(show("approvals", agent(5, 6, 7)))
        ids = {each.call_id: each.id for each in [await questions.get() for _ in range(3)]}
        guard.approve(ids["7"])
        guard.deny(ids["5"], "no")
        guard.approve(ids["6"])
        await running


logging.disable(logging.CRITICAL)
asyncio.run(main())
