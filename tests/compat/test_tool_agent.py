"""Tool agents: the same results, errors and messages to the model on both."""

import asyncio
import json
from dataclasses import dataclass

import pytest

from .argument_errors import as_ours
from .harness import same, submodule


@dataclass
class Question:
    words: str


def add(a: int, b: int) -> int:
    return a + b


def fail(words: str) -> str:
    raise ValueError(words)


def make_tools(core):
    function_tool = submodule(core, "tools").FunctionTool
    return [function_tool(function, function.__name__) for function in (add, fail)]


async def start(core, *more_functions):
    runtime = core.SingleThreadedAgentRuntime()
    tools, package = make_tools(core), submodule(core, "tool_agent")
    tools += [submodule(core, "tools").FunctionTool(each, "d") for each in more_functions]
    await package.ToolAgent.register(
        runtime, "tools", lambda: package.ToolAgent("Runs tools.", tools)
    )
    runtime.start()
    return runtime, core.AgentId("tools", "default")


CALLS = [
    ("add", '{"a": 1, "b": 2}'),
    ("add", '{"a": 1}'),
    ("add", "[1, 2]"),
    ("add", "{a: 1}"),
    ("add", ""),
    ("fail", '{"words": "broken"}'),
    ("unknown", "{}"),
]


@pytest.mark.parametrize(("name", "arguments"), CALLS)
def test_a_call_returns_or_fails_the_same(name, arguments):
    async def scenario(core, record):
        runtime, agent = await start(core)
        call = core.FunctionCall(id="c", arguments=arguments, name=name)
        try:
            result = await runtime.send_message(call, agent)
        except submodule(core, "tool_agent").ToolException as error:
            kinds = [kind.__name__ for kind in type(error).__mro__ if "Tool" in kind.__name__]
            record(kinds, error.call_id, error.content, error.name, repr(error))
            record(type(error.__cause__).__name__, error == type(error)("c", error.content, name))
        else:
            record(result.model_dump())
        await runtime.stop_when_idle()

    same(scenario, as_ours)


def test_a_call_is_cancelled_by_its_token():
    async def scenario(core, record):
        started = asyncio.Event()

        async def wait_for_ever() -> None:
            started.set()
            await asyncio.Event().wait()

        runtime, agent = await start(core, wait_for_ever)
        token = core.CancellationToken()
        call = core.FunctionCall(id="c", arguments="{}", name="wait_for_ever")
        sending = asyncio.ensure_future(runtime.send_message(call, agent, cancellation_token=token))
        await started.wait()
        token.cancel()
        await record.outcome("call", sending, words=False)

    same(scenario, as_ours)


def make_client(core, responses, record):
    models = submodule(core, "models")

    class Client:
        async def create(self, messages, *, tools, cancellation_token=None):
            record([message.model_dump() for message in messages])
            record([tool if isinstance(tool, dict) else tool.schema for tool in tools])
            response = responses.pop(0)
            if isinstance(response, Exception):
                raise response
            if isinstance(response, list):
                response = [
                    core.FunctionCall(str(number), json.dumps(arguments), name)
                    for number, (name, arguments) in enumerate(response)
                ]
            return models.CreateResult(
                finish_reason="stop",
                content=response,
                usage=models.RequestUsage(0, 0),
                cached=False,
            )

    return Client()


@pytest.mark.parametrize(
    "responses",
    [
        ["four"],
        [[("add", {"a": 1, "b": 3})], "four"],
        [[("add", {"a": 1, "b": 3}), ("add", {"a": 5, "b": 3})], [("add", {"a": 4, "b": 8})], "12"],
        [[("add", {"a": 1, "b": 3})], LookupError("no model")],
    ],
    ids=["no call", "a call", "calls", "an error"],
)
@pytest.mark.parametrize("described", [True, False], ids=["schemas", "tools"])
def test_a_model_calls_tools_until_it_responds(responses, described):
    async def scenario(core, record):
        runtime, agent = await start(core)
        tools = make_tools(core)[:2]
        models = submodule(core, "models")
        loop = submodule(core, "tool_agent").tool_agent_caller_loop(
            runtime,
            agent,
            make_client(core, list(responses), record),
            [models.UserMessage(content="1 + 3?", source="user")],
            [tool.schema for tool in tools] if described else tools,
            caller_source="solver",
        )
        try:
            for message in await loop:
                record(type(message).__name__, message.model_dump())
        except LookupError as error:
            record.raised("loop", error)
        await runtime.stop_when_idle()

    same(scenario, as_ours)


def test_a_caller_may_be_an_agent():
    async def scenario(core, record):
        runtime, agent = await start(core)
        models, package = submodule(core, "models"), submodule(core, "tool_agent")

        class Solver(core.RoutedAgent):
            @core.message_handler
            async def solve(self, message: Question, ctx: core.MessageContext) -> Question:
                client = make_client(core, [[("add", {"a": 1, "b": 3})], "four"], record)
                question = models.UserMessage(content=message.words, source="user")
                messages = await package.tool_agent_caller_loop(
                    self, agent, client, [question], make_tools(core), ctx.cancellation_token
                )
                return Question(messages[-1].content)

        await Solver.register(runtime, "solver", lambda: Solver("Solves."))
        record(await runtime.send_message(Question("1 + 3?"), core.AgentId("solver", "k")))
        await runtime.stop_when_idle()

    same(scenario, as_ours)
