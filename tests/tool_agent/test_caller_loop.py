"""The caller loop: calls run side by side, and what is not a tool's failure is raised."""

import asyncio

import pytest

from ferrogen import (
    AgentId,
    CancellationToken,
    FunctionCall,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from ferrogen.models import CreateResult, FunctionExecutionResult, RequestUsage
from ferrogen.tool_agent import MaxTurnsExceededError, ToolAgent, tool_agent_caller_loop
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
        return CreateResult(
            finish_reason="stop",
            content=response,
            usage=RequestUsage(0, 0),
            cached=False,
            thought=f"thought {len(self.tokens)}",
        )


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


class Moody(RoutedAgent):
    """A tool agent that fails in ways of its own."""

    @message_handler
    async def call(self, message: FunctionCall, ctx: MessageContext) -> FunctionExecutionResult:
        if message.name == "fails":
            raise ConnectionError("no network")
        return FunctionExecutionResult(
            content="fine", call_id=message.id, is_error=False, name=message.name
        )


async def test_one_failing_call_does_not_abort_the_others(runtime):
    await Moody.register(runtime, AGENT.type, lambda: Moody("d"))
    client = Client(["works", "fails", "works"], "done")
    messages = await tool_agent_caller_loop(runtime, AGENT, client, [], [])
    results = [(each.call_id, each.content, each.is_error) for each in messages[1].content]
    assert results == [
        ("0", "fine", False),
        ("1", "Error: no network", True),
        ("2", "fine", False),
    ]


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


def one() -> int:
    return 1


async def test_the_results_are_in_the_order_of_the_calls(runtime):
    ready = asyncio.Event()

    async def slow() -> str:
        await ready.wait()
        return "slow"

    async def quick() -> str:
        ready.set()
        return "quick"

    tools = await register(runtime, slow, quick)
    client = Client(["slow", "quick", "slow"], "done")
    messages = await tool_agent_caller_loop(runtime, AGENT, client, [], tools)
    results = [(result.call_id, result.content) for result in messages[1].content]
    assert results == [("0", "slow"), ("1", "quick"), ("2", "slow")]


async def test_thoughts_are_kept(runtime):
    tools = await register(runtime, one)
    messages = await tool_agent_caller_loop(runtime, AGENT, Client(["one"], "done"), [], tools)
    assert [messages[0].thought, messages[2].thought] == ["thought 1", "thought 2"]


async def test_tools_may_be_any_sequence(runtime):
    tools = await register(runtime, one)
    mixed = (tools[0], tools[0].schema)
    messages = await tool_agent_caller_loop(runtime, AGENT, Client("done"), (), mixed)
    assert messages[-1].content == "done"
    assert ToolAgent("d", tuple(tools)).tools == tools


async def test_a_loop_ends_after_its_last_turn(runtime):
    called = []

    def count() -> int:
        called.append("count")
        return len(called)

    tools = await register(runtime, count)
    client = Client(["count"], ["count", "count"], "done")
    with pytest.raises(MaxTurnsExceededError, match="calls count, count in turn 2 of 2") as ended:
        await tool_agent_caller_loop(runtime, AGENT, client, [], tools, max_turns=2)
    assert called == ["count"]  # the calls of the last turn are not made
    assert [message.type for message in ended.value.messages] == [
        "AssistantMessage",
        "FunctionExecutionResultMessage",
        "AssistantMessage",
    ]
    assert client.responses == ["done"]


async def test_a_response_in_the_last_turn_ends_the_loop(runtime):
    tools = await register(runtime, one)
    client = Client(["one"], "done")
    messages = await tool_agent_caller_loop(runtime, AGENT, client, [], tools, max_turns=2)
    assert messages[-1].content == "done"


@pytest.mark.parametrize("number", [0, -1])
async def test_a_loop_without_a_turn_is_refused(runtime, number):
    with pytest.raises(ValueError, match=f"max_turns is {number}"):
        await tool_agent_caller_loop(runtime, AGENT, Client(), [], [], max_turns=number)


async def test_a_tool_that_cancels_itself_is_a_result_for_the_model(runtime):
    async def cancelled() -> None:
        raise asyncio.CancelledError

    tools = await register(runtime, cancelled)
    client = Client(["cancelled"], "sorry")
    messages = await tool_agent_caller_loop(runtime, AGENT, client, [], tools)
    assert messages[1].content[0].is_error
    assert "by the tool itself" in messages[1].content[0].content


async def test_a_token_frees_the_loop_while_a_tool_runs(runtime):
    started, token = asyncio.Event(), CancellationToken()

    async def wait() -> None:
        started.set()
        await asyncio.Event().wait()

    tools = await register(runtime, wait)
    loop = tool_agent_caller_loop(runtime, AGENT, Client(["wait"]), [], tools, token)
    task = asyncio.ensure_future(loop)
    await started.wait()
    token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
