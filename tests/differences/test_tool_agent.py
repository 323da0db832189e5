"""Tool agents: fixed defects of their errors."""

import pickle
from inspect import signature

import autogen_core.tool_agent
import pytest
from tests.compat.harness import OURS, both, play, submodule
from tests.compat.test_tool_agent import make_client, make_tools, start

import ferrogen.tool_agent


async def results(core, record, responses):
    """Record the messages that the model gets after its first response."""
    runtime, agent = await start(core)
    client = make_client(core, responses, lambda _facts: None)
    messages = await submodule(core, "tool_agent").tool_agent_caller_loop(
        runtime, agent, client, [], make_tools(core)
    )
    for message in messages[1:-1]:
        record([result.content for result in message.content])
    await runtime.stop_when_idle()


def test_the_model_gets_the_error_of_a_failed_call():
    async def scenario(core, record):
        await results(core, record, [[("fail", {"words": "broken"}), ("unknown", {})], "sorry"])

    upstream, ours = both(scenario)
    assert upstream == [["Error: ", "Error: "]]
    assert ours == [["Error: broken", "Error: Tool not found: unknown"]]


def test_a_response_without_calls_ends_the_loop():
    async def scenario(core, record):
        responses = [[], "done"]
        await results(core, record, responses)
        record(responses)

    assert both(scenario) == ([[], []], [["done"]])


def test_the_exceptions_of_a_tool_agent_are_exceptions():
    upstream, ours = autogen_core.tool_agent, ferrogen.tool_agent
    assert not issubclass(upstream.ToolException, Exception)
    assert issubclass(ours.ToolException, ferrogen.exceptions.FerrogenError)


@pytest.mark.parametrize("name", ["ToolException", "ToolNotFoundException"])
def test_the_exceptions_of_a_tool_agent_are_pickled_and_say_what_they_are_about(name):
    facts = {"call_id": "c", "content": "Error: so", "name": "add"}

    upstream = getattr(autogen_core.tool_agent, name)(**facts)
    assert str(upstream) == ""
    with pytest.raises(TypeError, match="missing 3 required"):
        pickle.loads(pickle.dumps(upstream))

    ours = getattr(ferrogen.tool_agent, name)(**facts)
    again = pickle.loads(pickle.dumps(ours))
    assert again == ours
    assert (str(again), vars(again)) == ("Error: so", facts)


def test_thoughts_of_a_model_are_kept():
    async def scenario(core, record):
        runtime, agent = await start(core)
        models = submodule(core, "models")

        class Client:
            async def create(self, messages, *, tools, cancellation_token=None):
                usage = models.RequestUsage(0, 0)
                return models.CreateResult(
                    finish_reason="stop", content="a", usage=usage, cached=False, thought="why"
                )

        (message,) = await submodule(core, "tool_agent").tool_agent_caller_loop(
            runtime, agent, Client(), [], []
        )
        record(message.thought)
        await runtime.stop_when_idle()

    assert both(scenario) == ([None], ["why"])


def test_a_loop_can_be_limited():
    assert "max_turns" not in signature(autogen_core.tool_agent.tool_agent_caller_loop).parameters

    async def scenario(core, record):
        runtime, agent = await start(core)
        client = make_client(core, [[("add", {"a": 1, "b": 1})], "two"], lambda _facts: None)
        loop = submodule(core, "tool_agent").tool_agent_caller_loop(
            runtime, agent, client, [], make_tools(core), max_turns=1
        )
        await record.outcome("loop", loop, words=False)
        await runtime.stop_when_idle()

    assert play(OURS, scenario).entries == [("loop", "raised RuntimeError")]


def test_any_failed_call_is_a_result():
    async def scenario(core, record):
        class Moody(core.RoutedAgent):
            @core.message_handler
            async def call(self, message: core.FunctionCall, ctx: core.MessageContext) -> submodule(
                core, "models"
            ).FunctionExecutionResult:
                raise ConnectionError("no network")

        runtime = core.SingleThreadedAgentRuntime()
        await Moody.register(runtime, "moody", lambda: Moody("d"))
        runtime.start()
        client = make_client(core, [[("add", {})], "sorry"], lambda _facts: None)
        try:
            messages = await submodule(core, "tool_agent").tool_agent_caller_loop(
                runtime, core.AgentId("moody", "default"), client, [], []
            )
            record([result.content for result in messages[1].content])
        except ConnectionError as error:
            record("raised", str(error))
        await runtime.stop_when_idle()

    assert both(scenario) == ([["raised", "no network"]], [["Error: no network"]])
