"""A stream is yielded as it arrives, and ends in a result or in a typed error."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from ferrogen import FunctionCall
from ferrogen.exceptions import (
    ModelConnectionError,
    ModelRateLimitError,
    ModelResponseError,
    ModelStatusError,
)
from ferrogen.models import CreateResult, RequestUsage
from ferrogen.models.openai import OpenAIChatCompletionClient
from ferrogen.models.usage import DetailedUsage

from ..scripted_server import RESET, ScriptedServer, json_response, sse_body, sse_response
from .responses import HELLO, USAGE, USAGE_CHUNK, call_piece, piece, streamed, whole


async def test_pieces_come_first_and_the_result_last(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(
        sse_response(piece("", role="assistant"), piece("ci"), piece("ao", "stop"), USAGE_CHUNK)
    )
    pieces, result = await streamed(client)
    assert pieces == ["ci", "ao"]
    assert (result.content, result.finish_reason) == ("ciao", "stop")
    assert RequestUsage(result.usage.prompt_tokens, result.usage.completion_tokens) == RequestUsage(
        **USAGE
    )
    assert client.total_usage().prompt_tokens == USAGE["prompt_tokens"]


async def test_a_piece_is_yielded_before_the_next_arrives(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    first, second = asyncio.Event(), asyncio.Event()
    server.play(sse_response(first, piece("ci"), second, piece("ao", "stop")))
    stream = client.create_stream(HELLO)
    waiting = asyncio.ensure_future(anext(stream))
    await server.asked()
    assert not waiting.done()
    first.set()
    assert await waiting == "ci"
    second.set()
    assert await anext(stream) == "ao"
    await stream.aclose()


async def test_streams_share_a_connection(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.otherwise = sse_response(piece("x", "stop"))
    for _ in range(3):
        await streamed(client)
    assert server.accepted == 1


async def test_usage_may_come_with_the_last_piece_or_with_each(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    first = {**piece("a"), "usage": {"prompt_tokens": 9, "completion_tokens": 1}}
    last = {**piece("b", "stop"), "usage": USAGE}
    server.play(sse_response(first, last))
    _, result = await streamed(client)
    assert result.usage.completion_tokens == USAGE["completion_tokens"]


async def test_missing_usage_is_estimated(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_response(piece("one two"), piece(" three", "stop")))
    _, result = await streamed(client)
    assert isinstance(result.usage, DetailedUsage)
    assert (result.usage.completion_tokens, result.usage.estimated) == (3, True)
    assert result.usage.cost is not None


async def test_parallel_calls_are_put_together_from_mixed_pieces(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(
        sse_response(
            piece("I look."),
            call_piece(0, id="a", name="weather", arguments=""),
            call_piece(0, arguments='{"city": '),
            call_piece(1, id="b", name="weather", arguments='{"ci'),
            call_piece(0, arguments='"Turin"}'),
            call_piece(1, arguments='ty": "Rome"}'),
            piece(reason="tool_calls"),
            USAGE_CHUNK,
        )
    )
    pieces, result = await streamed(client)
    assert pieces == ["I look."]
    assert result.content == [
        FunctionCall(id="a", name="weather", arguments='{"city": "Turin"}'),
        FunctionCall(id="b", name="weather", arguments='{"city": "Rome"}'),
    ]
    assert (result.finish_reason, result.thought) == ("function_calls", "I look.")


@pytest.mark.parametrize(
    "pieces",
    [
        [call_piece(0, id="a", name="f", arguments="{}"), call_piece(0, id="b", name="g")],
        [call_piece(None, id="a", name="f", arguments="{}"), call_piece(None, id="b", name="g")],
        [
            call_piece(None, id="a", name="f", arguments="{"),
            call_piece(None, arguments="}"),
            call_piece(None, id="b", name="g"),
        ],
        [
            call_piece(0, id="a", name="f", arguments="{"),
            call_piece(0, id="a", name="f", arguments="}"),
            call_piece(1, id="b", name="g"),
        ],
        [
            call_piece(0, id="a", name="f"),
            call_piece(1, id="b", name="g"),
            call_piece(0, arguments="{}"),
        ],
    ],
)
async def test_calls_are_distinguished_however_the_service_numbers_them(
    server: ScriptedServer, client: OpenAIChatCompletionClient, pieces: list[object]
) -> None:
    server.play(sse_response(*pieces, piece(reason="tool_calls")))
    _, result = await streamed(client)
    assert result.content == [
        FunctionCall(id="a", name="f", arguments="{}"),
        FunctionCall(id="b", name="g", arguments="{}"),
    ]


async def test_a_name_may_come_in_pieces(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(
        sse_response(
            call_piece(0, id="a", name="wea"), call_piece(0, name="ther"), piece(reason="x")
        )
    )
    _, result = await streamed(client)
    assert result.content == [FunctionCall(id="a", name="weather", arguments="{}")]


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
async def test_reasoning_is_marked_in_the_pieces_and_the_thought_of_the_result(
    server: ScriptedServer, client: OpenAIChatCompletionClient, field: str
) -> None:
    server.play(
        sse_response(
            piece(**{field: "2 "}), piece(**{field: "+ 2"}), piece("4"), piece(reason="stop")
        )
    )
    pieces, result = await streamed(client)
    assert pieces == ["<think>2 ", "+ 2", "</think>", "4"]
    assert (result.thought, result.content) == ("2 + 2", "4")


async def test_reasoning_before_calls_is_their_thought(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(
        sse_response(
            piece(reasoning_content="hm"),
            call_piece(0, id="a", name="f"),
            piece(reason="tool_calls"),
        )
    )
    pieces, result = await streamed(client)
    assert pieces == ["<think>hm", "</think>"]
    assert result.thought == "hm"


async def test_reasoning_in_the_text_is_taken_out_of_the_content(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_response(piece("<thi"), piece("nk>hm</think>4"), piece(reason="stop")))
    pieces, result = await streamed(client)
    assert "".join(pieces) == "<think>hm</think>4"
    assert (result.thought, result.content) == ("hm", "4")


async def test_a_refusal_comes_in_pieces(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_response(piece(refusal="I will "), piece(refusal="not"), piece(reason="stop")))
    pieces, result = await streamed(client)
    assert pieces == ["I will ", "not"]
    assert (result.content, result.finish_reason) == ("I will not", "content_filter")


async def test_probabilities_of_all_pieces_are_kept(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    chunks = [piece("a"), piece("b", "stop")]
    for chunk, token in zip(chunks, "ab", strict=True):
        chunk["choices"][0]["logprobs"] = {"content": [{"token": token, "logprob": -0.1}]}
    server.play(sse_response(*chunks))
    _, result = await streamed(client)
    assert result.logprobs is not None
    assert [token.token for token in result.logprobs] == ["a", "b"]


async def test_comments_and_empty_chunks_are_passed_over(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(
        sse_response(
            b": still here\n\n", {"choices": []}, {}, piece("x"), b"\n\n", piece(reason="stop")
        )
    )
    pieces, result = await streamed(client)
    assert (pieces, result.content) == (["x"], "x")


async def test_bytes_may_be_split_anywhere_and_lines_end_in_any_way(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    body = 'data: {"choices": [{"delta": {"content": "è"}, "finish_reason": "stop"}]}\n\n'
    for text in (body, body.replace("\n", "\r\n")):
        raw = f"{text}data:[DONE]\n\n".encode()
        server.play(sse_body(*(raw[at : at + 1] for at in range(len(raw)))))
        assert (await streamed(client))[0] == ["è"]


async def test_a_service_that_does_not_stream_is_understood(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(json_response(whole("ciao")))
    pieces, result = await streamed(client)
    assert (pieces, result.content) == (["ciao"], "ciao")


async def test_a_stream_without_done_is_complete_after_its_finish_reason(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_body(b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'))
    assert (await streamed(client))[1].finish_reason == "stop"


async def test_a_stream_that_ends_early_is_not_a_response(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_body(b'data: {"choices": [{"delta": {"content": "ci"}}]}\n\n'))
    stream = client.create_stream(HELLO)
    assert await anext(stream) == "ci"
    with pytest.raises(ModelResponseError, match="the stream of gpt-4o broke off before its end"):
        await anext(stream)
    # What was read is counted, for the service has its price.
    used = client.total_usage()
    assert (used.prompt_tokens, used.completion_tokens) == (client.count_tokens(HELLO), 1)
    assert used.estimated


async def test_a_body_that_is_cut_off_is_a_lost_connection(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_response(piece("ci"), done=False))
    with pytest.raises(
        ModelConnectionError, match="the service of gpt-4o broke off the connection"
    ):
        await streamed(client)


async def test_a_connection_that_is_reset_is_a_lost_connection(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_response(piece("ci"), RESET))
    with pytest.raises(ModelConnectionError):
        await streamed(client)


@pytest.mark.parametrize(
    "event", ["{", '{"choices": 3}', "hello", '{"choices": [{"delta": {"content": 1}}]}']
)
async def test_an_event_that_is_no_chunk_is_a_typed_error(
    server: ScriptedServer, client: OpenAIChatCompletionClient, event: str
) -> None:
    server.play(sse_response(event))
    with pytest.raises(ModelResponseError):
        await streamed(client)
    await server.deserted()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "slow down", "code": 429}, ModelRateLimitError),
        ({"message": "slow down", "type": "rate_limit_error"}, ModelRateLimitError),
        ({"message": "slow down", "code": 503}, ModelStatusError),
        ({"message": "slow down", "code": "busy"}, ModelResponseError),
        ("slow down", ModelResponseError),
    ],
)
async def test_an_error_in_the_middle_is_raised(
    server: ScriptedServer,
    client: OpenAIChatCompletionClient,
    error: object,
    kind: type[Exception],
) -> None:
    server.play(sse_response(piece("ci"), {"error": error}))
    with pytest.raises(kind, match="broke off its response: slow down"):
        await streamed(client)
    await server.deserted()


async def test_a_stream_that_is_left_closes_its_connection(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(sse_response(piece("ci"), asyncio.Event()))
    async with aclosing(client.create_stream(HELLO)) as stream:
        async for _ in stream:
            break
    await server.deserted()
    assert server.connections == 0
    assert client.total_usage().completion_tokens == 1


async def test_a_stream_that_never_began_took_nothing(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    server.play(json_response({}, 500))
    with pytest.raises(ModelStatusError):
        await streamed(client)
    assert client.total_usage().prompt_tokens == 0


async def test_many_streams_run_beside_each_other(
    server: ScriptedServer, client: OpenAIChatCompletionClient
) -> None:
    gate = asyncio.Event()
    server.otherwise = sse_response(piece("ci"), gate, piece("ao", "stop"))
    streams = [client.create_stream(HELLO) for _ in range(50)]
    assert await asyncio.gather(*map(anext, streams)) == ["ci"] * 50
    gate.set()
    for stream in streams:
        *_, result = [item async for item in stream]
        assert isinstance(result, CreateResult)
        assert result.content == "ciao"
