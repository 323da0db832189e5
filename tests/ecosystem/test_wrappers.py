"""Ferrogen's wrappers go around the clients of autogen-ext, which do not know of them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

PROGRAM = textwrap.dedent(
    """
    import asyncio
    import logging
    from pathlib import Path

    from autogen_core.models import ChatCompletionClient, UserMessage
    from autogen_ext.models.openai import OpenAIChatCompletionClient
    from autogen_ext.models.replay import ReplayChatCompletionClient
    from scripted_server import RESET, ScriptedServer, json_response, raw

    from ferrogen.models.middleware import Cached, Fallback, Recorder, Replay, Retrying

    logging.getLogger("autogen_core.models").addHandler(logging.NullHandler())
    KEY = "a-key-that-must-not-leak"
    QUESTION = [UserMessage(content="Which way?", source="me")]
    MESSAGE = {"role": "assistant", "content": "left"}
    CHOICE = {"index": 0, "message": MESSAGE, "finish_reason": "stop"}
    ANSWER = {
        "id": "1", "object": "chat.completion", "created": 1, "model": "gpt-4o-2024-08-06",
        "choices": [CHOICE],
        "usage": {"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10},
    }
    BUSY = json_response({"error": {"message": "slow down"}}, 429, {"retry-after": "0"})


    async def main():
        async with ScriptedServer() as server:
            inner = OpenAIChatCompletionClient(
                model="gpt-4o-2024-08-06", base_url=f"{server.url}/v1", api_key=KEY, max_retries=0
            )
            client = Recorder(Cached(Retrying(inner, first_delay=0.001)), "cassette.json")

            server.play(BUSY, raw(RESET), json_response(ANSWER))
            for _ in range(2):
                result = await client.create(QUESTION)
                print(result.content, result.cached, len(server.requests))

            refused = json_response({"error": {"message": f"no such key: {KEY}"}}, 401)
            server.play(refused)
            try:
                await client.create(QUESTION, extra_create_args={"seed": 1})
            except Exception as error:
                print(type(error).__name__)
            await client.close()

        print(KEY in Path("cassette.json").read_text())
        replay = Replay("cassette.json")
        print([(await replay.create(QUESTION)).content for _ in range(2)], replay.left)

        other = Fallback([ReplayChatCompletionClient(["right"]), ReplayChatCompletionClient([])])
        loaded = ChatCompletionClient.load_component(Retrying(other).dump_component())
        print((await loaded.create(QUESTION)).content)


    asyncio.run(main())
    """
)


def test_wrappers_go_around_the_clients_of_autogen_ext(
    tmp_path: Path, run_program: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1] / "models"))
    program = tmp_path / "wrapped.py"
    program.write_text(PROGRAM)
    assert run_program(program, "ferrogen").splitlines() == [
        "left False 3",
        "left True 3",
        "AuthenticationError",
        "False",
        "['left', 'left'] 1",
        "right",
    ]
