"""The example that asks by Ferrogen's own client, run as people run it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from ..models.scripted_server import ScriptedServer, json_answer, sse_answer

ASK = Path(__file__).resolve().parents[2] / "examples" / "ask.py"
USAGE = {"prompt_tokens": 100, "completion_tokens": 10}


def piece(content: str | None, reason: str | None = None) -> dict[str, object]:
    return {"choices": [{"delta": {"content": content}, "finish_reason": reason}]}


async def run(*arguments: str, url: str) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(ASK), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "sk-none", "NO_PROXY": "127.0.0.1"},
    )
    printed, complained = await process.communicate()
    return process.returncode, printed.decode(), complained.decode()


async def test_it_shows_the_answer_the_names_in_it_and_what_it_took() -> None:
    names = {"choices": [{"message": {"content": '{"names": ["Po", "Dora"]}'}}], "usage": USAGE}
    async with ScriptedServer() as server:
        server.play(
            json_answer({}, 503, {"retry-after": "0"}),
            sse_answer(piece("The Po "), piece("and the Dora.", "stop"), {"usage": USAGE}),
            json_answer(names),
        )
        status, printed, complained = await run("Which rivers?", url=server.url)
    assert status == 0
    assert complained.startswith("attempt 1 of 3 failed")
    assert complained.endswith("tokens: 200 + 20, $0.000042\n")
    assert printed == "The Po and the Dora.\nnames: Po, Dora\n"
    assert server.requests[-1].json["response_format"]["json_schema"]["name"] == "Names"


async def test_a_model_that_does_not_answer_is_told_in_one_line() -> None:
    async with ScriptedServer() as server:
        server.play(json_answer({"error": {"message": "no such model"}}, 404))
        status, _, complained = await run("Which rivers?", url=server.url)
    assert status == 1
    assert complained.startswith("the service of gpt-4o-mini refused")
    assert complained.count("\n") == 1


async def test_without_a_question_it_says_how_it_is_used() -> None:
    status, _, complained = await run(url="http://127.0.0.1:9")
    assert status == 2
    assert "QUESTION" in complained
