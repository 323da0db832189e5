"""The example that asks by Ferrogen's own client, run as people run it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from ..imported_modules import FERROGEN, STRICT
from ..models.scripted_server import ScriptedServer, json_response, sse_response

ASK = Path(__file__).resolve().parents[2] / "examples" / "ask.py"
Run = Callable[..., Awaitable[tuple[int, str, str]]]
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def piece(content: str | None, reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"delta": {"content": content}, "finish_reason": reason}]}


@pytest.fixture
def run(fork_server: Any) -> Run:
    """Give a function that runs the example to its end."""
    forks = fork_server(*FERROGEN, flags=STRICT)

    async def run_program(*arguments: str, url: str) -> tuple[int, str, str]:
        key = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "sk-none"}
        env = {**key, "NO_PROXY": "127.0.0.1"}
        done = await asyncio.to_thread(forks.run, str(ASK), *arguments, env=env)
        return done.returncode, done.stdout, done.stderr

    return run_program


async def test_it_prints_the_response_its_names_and_the_usage(run: Run) -> None:
    names = {"choices": [{"message": {"content": '{"names": ["Po", "Dora"]}'}}], "usage": USAGE}
    async with ScriptedServer() as server:
        server.play(
            json_response({}, 503, {"retry-after": "0"}),
            sse_response(piece("The Po "), piece("and the Dora.", "stop"), {"usage": USAGE}),
            json_response(names),
        )
        status, printed, complained = await run("Which rivers?", url=server.url)
    assert status == 0
    assert complained.startswith("attempt 1 of 3 failed")
    assert complained.endswith("tokens: 200 + 20, $0.000042\n")
    assert printed == "The Po and the Dora.\nnames: Po, Dora\n"
    assert server.requests[-1].json["response_format"]["json_schema"]["name"] == "Names"


async def test_a_model_without_a_response_is_reported_in_one_line(run: Run) -> None:
    async with ScriptedServer() as server:
        server.play(json_response({"error": {"message": "no such model"}}, 404))
        status, _, complained = await run("Which rivers?", url=server.url)
    assert status == 1
    assert complained.startswith("the service of gpt-4o-mini refused")
    assert complained.count("\n") == 1


async def test_without_a_question_it_says_how_it_is_used(run: Run) -> None:
    status, _, complained = await run(url="http://127.0.0.1:9")
    assert status == 2
    assert "QUESTION" in complained
