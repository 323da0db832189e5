"""When a model may think: in every turn that the API lets it think in."""

import pytest

from ferrogen import FunctionCall
from ferrogen.models import (
    AssistantMessage,
    FunctionExecutionResult,
    FunctionExecutionResultMessage,
    UserMessage,
)

from .frames import whole

QUESTION = UserMessage(content="Weather in Turin?", source="traveller")
TOOL = {"name": "weather", "description": "Tells the weather."}
THINK = {"type": "enabled", "budget_tokens": 1024}
SAYS = {"type": "text", "text": "Sunny."}
THOUGHT = {"type": "thinking", "thinking": "Turin it is.", "signature": "signed"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}}


def results_of(calls):
    results = [FunctionExecutionResult(content="sun", name=x.name, call_id=x.id) for x in calls]
    return FunctionExecutionResultMessage(content=results)


async def test_a_turn_continues_thinking_after_calls_with_thoughts(server, make_client):
    client = make_client(thinking=THINK)
    server.play(whole(THOUGHT, CALL, stop_reason="tool_use"), whole(SAYS))
    called = await client.create([QUESTION], tools=[TOOL])
    said = AssistantMessage(content=called.content, thought=called.thought, source="guide")
    await client.create([QUESTION, said, results_of(called.content)], tools=[TOOL])
    assert [request.json["thinking"] for request in server.requests] == [THINK, THINK]


@pytest.mark.parametrize("thought", [None, "Turin it is."])
async def test_a_turn_of_another_client_continues_without_thinking(server, make_client, thought):
    calls = [FunctionCall(id="1", name="transfer_to_guide", arguments="{}")]
    handed_over = AssistantMessage(content=calls, thought=thought, source="pilot")
    begun = [QUESTION, handed_over, results_of(calls)]
    server.play(whole(SAYS), whole(SAYS))
    client = make_client(thinking=THINK)
    await client.create(begun, tools=[TOOL])
    # The next turn is thought about again.
    over = [*begun, AssistantMessage(content="Sunny.", source="guide"), QUESTION]
    await client.create(over, tools=[TOOL])
    first, second = (request.json for request in server.requests)
    assert "thinking" not in first
    assert second["thinking"] == THINK


async def test_adaptive_thinking_stays_on_after_tool_calls(server, make_client):
    calls = [FunctionCall(id="1", name="weather", arguments="{}")]
    messages = [QUESTION, AssistantMessage(content=calls, source="pilot"), results_of(calls)]
    server.play(whole(SAYS))
    await make_client(thinking={"type": "adaptive"}).create(messages, tools=[TOOL])
    assert server.requests[0].json["thinking"] == {"type": "adaptive"}
