"""The caller loop: calls run side by side, and what is not a tool's failure is raised."""

import asyncio

import pytest

from ferrogen import AgentId, CancellationToken, FunctionCall, SingleThreadedAgentRuntime
from ferrogen.models import CreateResult, RequestUsage
from ferrogen.tool_agent import ToolAgent, tool_agent_caller_loop
from ferrogen.tools import FunctionTool

AGENT = AgentId("tools", "default")


class Client:
    """A model that gives the responses it was given, and remembers the tokens it got."""

    def __init__(self, *responses):
        self.responses, self.tokens = list(responses), []

    async def create(self, messages, *, tools, cancellation_token):
        self.tokens.append(cancellation_token)
        response = self.responses.pop(0)
        if isinstance(response, list):
            response = [FunctionCall(str(at), "{}", name) for at, name in enumerate(response)]
        usage = RequestUsage(0, 0)
        return CreateResult(finish_reason="stop", content=response, usage=usage, cached=False)


@pytest.fixture
async def runtime():
    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    yield runtime
    await runtime.close()


async def register(runtime, *functions):
    tools = [FunctionTool(function, "d") for function in functions]
    await ToolAgent.register(runtime, AGENT.type, lambda: ToolAgent("Runs tools.", tools))
    return tools


async def test_the_calls_of_one_response_run_concurrently(runtime):
    met = [asyncio.Event(), asyncio.Event()]

    async def first() -> str:
        met[0].set()
        await met[1].wait()
        return "met"

    async def second() -> str:
        met[1].set()
        await met[0].wait()
        return "met"

    tools = await register(runtime, first, second)
    client = Client(["first", "second"], "done")
    messages = await tool_agent_caller_loop(runtime, AGENT, client, [], tools)
    assert [result.content for result in messages[1].content] == ["met", "met"]


async def test_an_agent_that_is_not_there_is_an_error_of_the_loop(runtime):
    with pytest.raises(LookupError, match="Recipient not found"):
        await tool_agent_caller_loop(runtime, AGENT, Client(["any"]), [], [])


async def test_the_token_reaches_the_model_and_the_tool(runtime):
    token, seen = CancellationToken(), []

    def look(cancellation_token: CancellationToken) -> str:
        seen.append(cancellation_token)
        return "seen"

    tools = await register(runtime, look)
    client = Client(["look"], "done")
    await tool_agent_caller_loop(runtime, AGENT, client, [], tools, token)
    assert client.tokens == [token, token]
    assert seen == [token]


async def test_the_messages_that_were_given_stay_as_they_are(runtime):
    def one() -> int:
        return 1

    tools, given = await register(runtime, one), []
    await tool_agent_caller_loop(runtime, AGENT, Client(["one"], "done"), given, tools)
    assert given == []
