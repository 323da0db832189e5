"""AgentChat's assistant, as it comes from PyPI, thinks with our client."""

import asyncio
from pathlib import Path

import pytest

from ...imported_modules import AGENTCHAT_ON_FERROGEN
from .frames import ended, start, stream, text, thinking, tool_use, whole

PROGRAM = Path(__file__).with_name("agentchat_program.py")
THOUGHT = {"type": "thinking", "thinking": "Turin it is.", "signature": "signed"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Turin"}}
SAYS = {"type": "text", "text": "It is sunny."}
FORECAST = '{"sky": "blue", "degrees": 21}'
CALLED = [
    "ThoughtEvent: Turin it is.",
    "ToolCallRequestEvent: [FunctionCall(id='toolu_1', "
    "arguments='{\"city\":\"Turin\"}', name='weather')]",
    "ToolCallExecutionEvent: [FunctionExecutionResult(content='sunny in Turin', name='weather', "
    "call_id='toolu_1', is_error=False)]",
]


@pytest.fixture
def run(server, fork_server):
    """Give a function that runs a scenario on Ferrogen, and lists what it printed."""
    forks = fork_server(*AGENTCHAT_ON_FERROGEN, installed=True)

    async def run_program(scenario):
        done = await asyncio.to_thread(forks.run, str(PROGRAM), server.url, scenario)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    return run_program


async def test_it_calls_tools_and_reflects_on_what_they_said(server, run):
    server.play(whole(THOUGHT, CALL, stop_reason="tool_use"), whole(SAYS))
    assert await run("tools") == [*CALLED, "TextMessage: It is sunny.", "24"]
    asked, reflected = (request.json for request in server.requests)
    assert asked["tools"][0]["name"] == "weather"
    assert reflected["messages"][1]["content"] == [THOUGHT, CALL]
    assert reflected["messages"][2]["content"][0]["content"][0]["text"] == "sunny in Turin"
    assert reflected["tool_choice"] == {"type": "none"}


async def test_it_hands_pieces_out_as_they_come(server, run):
    server.play(
        stream(
            start(),
            thinking(0, "signed", "Turin", " it is."),
            tool_use(1, "weather", "toolu_1", '{"city":', '"Turin"}'),
            ended("tool_use"),
        ),
        stream(start(), text(0, "It is", " sunny."), ended()),
    )
    assert await run("streamed tools") == [
        *CALLED,
        "ModelClientStreamingChunkEvent: It is",
        "ModelClientStreamingChunkEvent:  sunny.",
        "TextMessage: It is sunny.",
        "24",
    ]
    assert server.requests[1].json["messages"][1]["content"] == [THOUGHT, CALL]


async def test_it_calls_tools_round_after_round(server, run):
    again = {**CALL, "id": "toolu_2", "input": {"city": "Asti"}}
    server.play(
        whole(THOUGHT, CALL, stop_reason="tool_use"),
        whole(again, stop_reason="tool_use"),
        whole(SAYS),
    )
    lines = await run("several rounds")
    assert lines[-2:] == ["TextMessage: It is sunny.", "36"]
    roles = [message["role"] for message in server.requests[2].json["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]


async def test_arguments_that_are_no_json_are_a_tool_error_that_the_model_sees(server, run):
    server.play(
        stream(start(), tool_use(0, "weather", "toolu_1", '{"city": '), ended("max_tokens")),
        stream(start(), text(0, "Sorry."), ended()),
    )
    assert (await run("streamed tools"))[-2] == "TextMessage: Sorry."
    [result] = server.requests[1].json["messages"][2]["content"]
    assert result["is_error"]
    assert result["content"][0]["text"]


async def test_it_hands_over(server, run):
    call = {"type": "tool_use", "id": "toolu_1", "name": "transfer_to_pilot", "input": {}}
    server.play(whole(call, stop_reason="tool_use"))
    assert (await run("handoff"))[-2].startswith("HandoffMessage: Transferred to pilot")


async def test_it_responds_in_the_form_of_a_class(server, run):
    server.play(whole({"type": "text", "text": FORECAST}))
    assert (await run("structured"))[
        -2
    ] == 'StructuredMessage[Forecast]: {"sky":"blue","degrees":21}'
    assert "output_config" in server.requests[0].json


async def test_it_streams_what_a_class_asks_after_calling_tools(server, run):
    server.play(
        stream(
            start(),
            thinking(0, "signed", "Turin it is."),
            tool_use(1, "weather", "toolu_1", '{"city":"Turin"}'),
            ended("tool_use"),
        ),
        stream(start(), text(0, FORECAST[:9], FORECAST[9:]), ended()),
    )
    lines = await run("structured with tools")
    assert lines[-2] == 'StructuredMessage[Forecast]: {"sky":"blue","degrees":21}'
    assert "output_config" in server.requests[1].json
