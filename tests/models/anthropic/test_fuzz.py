"""No bytes from a service make a client hang, leak a connection or raise a foreign error."""

import asyncio

import anthropic
import httpx2
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from ferrogen.exceptions import ModelError
from ferrogen.models import CreateResult, UserMessage
from ferrogen.models.anthropic import AnthropicChatCompletionClient

from ...random_examples import examples
from ..conversation import INFO
from ..scripted_server import HANG_UP, RESET, ScriptedServer, json_response, sse_body
from .conftest import KEY
from .frames import PING, closed, delta, ended, frame, opened, start, thinking, tool_use, whole

QUESTION = [UserMessage(content="Weather in Turin?", source="traveller")]

SMALL = st.integers(-1, 2)
WORDS = st.sampled_from(["", "a", "{", "}", '"', "final_answer", "\ud83d", "é"])
EVENTS = st.one_of(
    st.sampled_from([PING, start(), *ended(), *ended("tool_use"), {"type": "message_start"}]),
    st.builds(lambda index, word: opened(index, type="text", text=word), SMALL, WORDS),
    st.builds(lambda index, word: delta(index, "text_delta", text=word), SMALL, WORDS),
    st.builds(
        lambda index, word: delta(index, "input_json_delta", partial_json=word), SMALL, WORDS
    ),
    st.builds(lambda index, word: thinking(index, word, word)[0], SMALL, WORDS),
    st.builds(lambda index, word: tool_use(index, word, word)[0], SMALL, WORDS),
    st.builds(closed, SMALL),
    st.builds(
        lambda kind, value: {"type": kind, "index": value, "content_block": value, "delta": value},
        st.sampled_from(["content_block_start", "content_block_delta", "message_delta", "error"]),
        st.none() | st.booleans() | st.integers() | st.dictionaries(WORDS, WORDS, max_size=2),
    ),
)
FRAMES = EVENTS.map(frame)
RUBBISH = st.binary(max_size=20) | st.sampled_from([b"\n", b"\r", b"data:", b"event: ", b"\n\n"])
BODIES = st.lists(FRAMES | RUBBISH, max_size=12)
ENDINGS = st.sampled_from([[b"0\r\n\r\n"], [HANG_UP], [RESET]])

# The loop and the server are made anew for each example.
EXAMPLES = examples(20, suppress_health_check=[HealthCheck.function_scoped_fixture])


async def outcome(response, ask):
    """Request that response; then check that the only connection is free for another request."""
    one_connection = httpx2.Limits(max_connections=1, max_keepalive_connections=0)
    async with ScriptedServer() as server:
        server.play(response, whole({"type": "text", "text": "Next."}))
        client = AnthropicChatCompletionClient(
            model="m",
            api_key=KEY,
            base_url=server.url,
            model_info=INFO,
            max_retries=0,
            http_client=anthropic.DefaultAsyncHttpxClient(limits=one_connection, timeout=60),
        )
        result = held = None
        try:
            result = await ask(client)
        except ModelError as error:
            held = error  # and so what its traceback refers to: nothing is closed by chance
        assert (await client.create(QUESTION)).content == "Next."
        await client.close()
    del held
    return result


async def streamed(client):
    items = [item async for item in client.create_stream(QUESTION, json_output=True)]
    assert all(isinstance(item, str) for item in items[:-1])
    return items[-1]


@EXAMPLES
@given(BODIES, ENDINGS)
def test_a_stream_of_anything_is_a_result_or_a_model_error(chunks, ending):
    response = [*sse_body(*chunks)[:-1], *ending]
    result = asyncio.run(outcome(response, streamed))
    assert result is None or isinstance(result, CreateResult)


@EXAMPLES
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | WORDS.filter(lambda word: word != "\ud83d"),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["content", "type", "text", "usage", "input", "id", "name"]), inner
            )
        ),
    )
)
def test_a_body_of_anything_is_a_result_or_a_model_error(body):
    result = asyncio.run(outcome(json_response(body), lambda client: client.create(QUESTION)))
    assert result is None or isinstance(result, CreateResult)


@pytest.mark.parametrize("part", range(20))
def test_a_response_cut_at_any_place_is_a_model_error(part):
    [everything] = whole({"type": "text", "text": "Sunny."})
    response = [everything[: len(everything) * part // 20], HANG_UP]
    assert asyncio.run(outcome(response, lambda client: client.create(QUESTION))) is None
