"""The example that remembers, in two runs of the program."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ..imported_modules import FERROGEN, STRICT
from ..models.scripted_server import ScriptedServer, json_response

REMEMBER = Path(__file__).resolve().parents[2] / "examples" / "remember.py"


def response(words: str) -> Any:
    usage = {"prompt_tokens": 1, "completion_tokens": 1}
    return json_response({"choices": [{"message": {"content": words}}], "usage": usage})


@pytest.fixture
def run(fork_server: Any, tmp_path: Path) -> Any:
    """Give a function that runs the example to its end."""
    forks = fork_server(*FERROGEN, flags=STRICT)

    async def run_program(*arguments: str, url: str) -> tuple[int, str, str]:
        key = {"OPENAI_BASE_URL": f"{url}/v1", "OPENAI_API_KEY": "sk-none"}
        env = {**key, "NO_PROXY": "127.0.0.1"}
        named = [*arguments, "--memory", str(tmp_path / "memory.sqlite")]
        done = await asyncio.to_thread(forks.run, str(REMEMBER), *named, env=env)
        return done.returncode, done.stdout, done.stderr

    return run_program


async def test_the_second_run_knows_what_was_said_in_the_first_one(run: Any) -> None:
    async with ScriptedServer() as server:
        server.play(response("Noted."), response("Green tea."), response("I do not know."))
        first = await run("I drink nothing but green tea.", "--user", "ada", url=server.url)
        second = await run("What do I drink?", "--user", "ada", url=server.url)
        third = await run("What do I drink?", "--user", "bob", url=server.url)
    assert first == (0, "Noted.\n", "")
    said = 'ada said: "I drink nothing but green tea."'
    assert second == (0, f"(recalled) {said}\nGreen tea.\n", "")
    assert third == (0, "I do not know.\n", "")
    sent = [message["content"] for message in server.requests[1].json["messages"]]
    assert sent[0].endswith(f"You know:\n1. {said}")
    assert sent[1:] == ["What do I drink?"]
    assert "tea" not in str(server.requests[2].json["messages"])


async def test_a_failure_is_reported_in_one_line(run: Any) -> None:
    async with ScriptedServer() as server:
        server.play(json_response({"error": {"message": "no such model"}}, 404))
        status, printed, complained = await run("Hello", url=server.url)
    assert (status, printed) == (1, "")
    assert complained.count("\n") == 1
