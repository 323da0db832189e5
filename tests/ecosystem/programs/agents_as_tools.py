"""An agent and a team are the tools of another agent, which also runs code; all of it streams."""

import asyncio
import json
import tempfile

from _replay import tool_calls, tool_model
from autogen_agentchat.agents import (
    ApprovalRequest,
    ApprovalResponse,
    AssistantAgent,
    CodeExecutorAgent,
)
from autogen_agentchat.base import TaskResult
from autogen_agentchat.conditions import TextMentionTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_agentchat.tools import AgentTool, TeamTool
from autogen_core import CancellationToken, FunctionCall
from autogen_core.memory import ListMemory, MemoryContent, MemoryMimeType
from autogen_core.models import CreateResult
from autogen_core.tools import StaticStreamWorkbench
from autogen_ext.code_executors.local import LocalCommandLineCodeExecutor
from autogen_ext.tools.code_execution import PythonCodeExecutionTool


def call(name: str, **arguments: str) -> CreateResult:
    return tool_calls(FunctionCall(id=f"to-{name}", name=name, arguments=json.dumps(arguments)))


async def show(agent: AssistantAgent | CodeExecutorAgent, task: str) -> None:
    async for item in agent.run_stream(task=task):
        if isinstance(item, TaskResult):
            print("stopped:", item.stop_reason, len(item.messages))
        else:
            print(type(item).__name__, item.source, "|", item.to_text())


async def delegate() -> None:
    poet = AssistantAgent("poet", tool_model("Frogs leap."), description="Writes poems.")
    memory = ListMemory(
        "house style", [MemoryContent(content="No rhymes.", mime_type=MemoryMimeType.TEXT)]
    )
    pair = RoundRobinGroupChat(
        [
            AssistantAgent("critic", tool_model("Too short."), memory=[memory]),
            AssistantAgent("editor", tool_model("APPROVE")),
        ],
        termination_condition=TextMentionTermination("APPROVE"),
    )
    jury = TeamTool(
        pair, name="jury", description="Judges poems.", return_value_as_last_message=True
    )
    poet_tool = AgentTool(poet, return_value_as_last_message=True)
    chief = AssistantAgent(
        "chief",
        tool_model(
            call("poet", task="A poem."), call("jury", task="Frogs leap."), "It is approved."
        ),
        tools=[poet_tool, jury],
        max_tool_iterations=3,
    )
    await show(chief, "Get me a poem.")
    print(json.dumps([poet_tool.schema, jury.schema], indent=1))
    state = await chief.save_state()
    print([each["type"] for each in state["llm_context"]["messages"]])
    print(memory.name, [each.content for each in memory.content])

    bench = StaticStreamWorkbench([AgentTool(AssistantAgent("echo", tool_model("Echo.")))])
    async for piece in bench.call_tool_stream("echo", {"task": "Hello"}, CancellationToken()):
        print(type(piece).__name__, getattr(piece, "source", ""))


def allow(request: ApprovalRequest) -> ApprovalResponse:
    print("asked to run:", request.code.strip())
    return ApprovalResponse(approved="rm" not in request.code, reason="no deleting")


async def run_code() -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with LocalCommandLineCodeExecutor(work_dir=folder) as executor:
            tool = PythonCodeExecutionTool(executor)
            calling = tool_model(call(tool.name, code="print(6 * 7)"))
            await show(AssistantAgent("clerk", calling, tools=[tool]), "How much is 6 times 7?")
            answers = ["```python\nexit(3)\n```", "Failed.", "```sh\nrm file\n```", "No."]
            coder = CodeExecutorAgent(
                "coder", executor, model_client=tool_model(*answers), approval_func=allow
            )
            await show(coder, "Run something.")
            await show(coder, "Delete something.")


async def main() -> None:
    await delegate()
    await run_code()


asyncio.run(main())
