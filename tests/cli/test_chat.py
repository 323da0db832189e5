"""``ferrogen chat`` talks to a service, here a scripted one, as a person or a script would."""

import asyncio
import os
import signal
import sys
from contextlib import suppress

import pytest

from ..models.anthropic.frames import ended, start, stream, text
from ..models.scripted_server import ScriptedServer, json_response, sse_response

FOREIGN = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL", "OPENAI_API_KEY")
HELLO = stream(start(), text(0, "Ci", "ao."), ended())
USED = "prompt tokens: 12, completion tokens: 30, cost: unknown\n"


@pytest.fixture
async def server():
    async with ScriptedServer() as server:
        yield server


class Terminal:
    """A running ``ferrogen chat``."""

    def __init__(self, process):
        self.process = process

    async def end(self, typed=""):
        output, errors = await self.process.communicate(typed.encode())
        return self.process.returncode, output.decode(), errors.decode()


def arguments_for(server):
    return ["--provider", "anthropic", "--model", "scripted", "--base-url", server.url]


def environment(**changes):
    clean = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**clean, "NO_PROXY": "127.0.0.1", "NO_COLOR": "1", **changes}


@pytest.fixture
async def chat(server, fork_server, tmp_path):
    """Give a function that calls ``ferrogen chat`` with the scripted server, in a fork."""
    forks = fork_server("ferrogen.cli.main", "ferrogen.models.anthropic")

    async def call(*arguments, typed="", **changes):
        command = ["-m", "ferrogen", "chat", *arguments_for(server), *arguments]
        options = {"cwd": tmp_path, "env": environment(**changes), "text": typed}
        done = await asyncio.to_thread(forks.run, *command, **options)
        return done.returncode, done.stdout, done.stderr

    return call


@pytest.fixture
async def chat_process(server, tmp_path):
    """Give a function that starts ``ferrogen chat`` with the scripted server."""
    terminals = []

    async def begin(*arguments):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "ferrogen", "chat", *arguments_for(server), *arguments),
            cwd=tmp_path,
            env=environment(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        terminals.append(Terminal(process))
        return terminals[-1]

    yield begin
    for terminal in terminals:
        if terminal.process.returncode is None:
            terminal.process.kill()
            await terminal.process.communicate()


async def test_one_question_has_one_response(server, chat):
    server.play(HELLO)
    asked = ("--message", "Hello?", "--system", "Speak Italian.", "--max-tokens", "9")
    assert await chat(*asked) == (0, "Ciao.\n", USED)
    body = server.requests[0].json
    assert body["system"] == [{"type": "text", "text": "Speak Italian."}]
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}]
    assert (body["model"], body["max_tokens"]) == ("scripted", 9)


async def test_each_line_is_a_question_in_one_conversation(server, chat):
    server.play(HELLO, stream(start(), text(0, "Bene."), ended()))
    status, output, errors = await chat(typed="Hello?\n\nHow are you?\n")
    assert (status, output) == (0, "Ciao.\nBene.\n")
    assert errors == "prompt tokens: 24, completion tokens: 60, cost: unknown\n"
    said = [message["content"][0]["text"] for message in server.requests[1].json["messages"]]
    assert said == ["Hello?", "Ciao.", "How are you?"]


async def test_the_cost_is_printed_if_the_price_is_known(server, chat):
    server.play(stream(start(cache_read_input_tokens=100), text(0, "Ciao."), ended()))
    _, _, errors = await chat("--message", "Hello?", "--model", "claude-3-5-haiku")
    # 12 tokens at 0.80 dollars a million, 100 from the cache at 0.08, and 30 answered at 4.00.
    assert errors == "prompt tokens: 112 (100 cached), completion tokens: 30, cost: $0.000138\n"


async def test_the_key_comes_from_the_environment(server, chat):
    server.play(HELLO, HELLO)
    await chat("--message", "Hello?", ANTHROPIC_API_KEY="top-secret")
    await chat("--message", "Hello?")
    sent = [
        request.headers.get("x-api-key") or request.headers["authorization"]
        for request in server.requests
    ]
    assert [key.removeprefix("Bearer ") for key in sent] == ["top-secret", "none"]


async def test_a_failure_is_one_sentence(server, chat):
    server.play(json_response({"error": {"message": "no such model: top-secret"}}, 404))
    status, output, errors = await chat("--message", "Hello?", ANTHROPIC_API_KEY="top-secret")
    assert (status, output) == (1, "")
    sentence, used = errors.splitlines()
    assert sentence.startswith("ferrogen chat: the model's service at http://127.0.0.1:")
    assert "refused: Error code: 404" in sentence
    assert "top-secret" not in errors
    assert used.startswith("prompt tokens: 0, completion tokens: 0,")


async def test_a_script_ends_at_the_first_failure(server, chat):
    server.play(json_response({"error": {"message": "no"}}, 400), HELLO)
    status, output, _ = await chat(typed="Hello?\nAgain?\n")
    assert (status, output) == (1, "")
    assert len(server.requests) == 1


async def test_an_interrupted_response_ends_cleanly(server, chat_process):
    server.play([*stream(start(), text(0, "Ci"))[:-1], asyncio.Event()])
    terminal = await chat_process("--message", "Hello?")
    assert await terminal.process.stdout.readexactly(2) == b"Ci"
    terminal.process.send_signal(signal.SIGINT)
    status, output, errors = await terminal.end()
    assert (status, output) == (130, "\n")
    assert errors == "prompt tokens: 12, completion tokens: 1, cost: unknown\n"
    await server.deserted()


@pytest.fixture
async def at_terminal(server, tmp_path):
    """Start ``ferrogen chat`` at a terminal; give the process, and a function that types."""
    terminal, its_end = os.openpty()
    plain = {name: value for name, value in environment(TERM="dumb").items() if name != "NO_COLOR"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ferrogen", "chat", *arguments_for(server)),
        cwd=tmp_path,
        env=plain,
        stdin=its_end,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    os.close(its_end)
    yield process, lambda text: os.write(terminal, text)
    if process.returncode is None:
        process.kill()
        await process.communicate()
    os.close(terminal)


async def shown(process, text):
    """Wait until a text is on the screen."""
    seen = b""
    while text not in seen:
        piece = await process.stdout.read(100)
        assert piece, seen
        seen += piece


async def test_at_a_terminal_the_conversation_continues_after_an_interrupted_response(
    server, at_terminal
):
    process, typed = at_terminal
    server.play([*stream(start(), text(0, "Ci"))[:-1], asyncio.Event()], HELLO)
    typed(b"Hello?\n")
    await shown(process, b"Ci")
    process.send_signal(signal.SIGINT)
    typed(b"Again?\n")
    await server.asked(2)
    typed(b"\x04")  # Ctrl+D
    output, errors = await process.communicate()
    assert process.returncode == 0
    assert b"Ciao.\n" in output
    assert b"Traceback" not in errors
    said = [message["content"][0]["text"] for message in server.requests[1].json["messages"]]
    assert said == ["Hello?", "Ci", "Again?"]


async def test_at_a_terminal_the_conversation_continues_after_a_failure(server, at_terminal):
    process, typed = at_terminal
    server.play(json_response({"error": {"message": "not now"}}, 400), HELLO)
    typed(b"Hello?\nAgain?\n")
    await shown(process, b"Ciao.")
    typed(b"\x04")
    _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"not now" in errors
    said = [message["content"][0]["text"] for message in server.requests[1].json["messages"]]
    assert said == ["Again?"]


async def test_an_interrupt_at_the_prompt_ends_the_conversation(server, at_terminal):
    process, typed = at_terminal
    server.play(HELLO)
    typed(b"Hello?\n")
    await shown(process, b"Ciao.\n> ")
    while process.returncode is None:
        # One that comes between the prompt and the reading of the line is seen with the next.
        process.send_signal(signal.SIGINT)
        with suppress(asyncio.TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
    _, errors = await process.communicate()
    assert process.returncode == 0
    assert errors.decode().endswith(USED)
    assert b"Traceback" not in errors


async def test_a_service_that_speaks_openais_api(server, chat):
    chunk = {"choices": [{"index": 0, "delta": {"content": "Ciao."}, "finish_reason": "stop"}]}
    used = {"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}}
    server.play(sse_response(chunk, used))
    done = await chat(
        *("--provider", "openai", "--base-url", f"{server.url}/v1"),
        *("--message", "Hello?", "--max-tokens", "9"),
        OPENAI_API_KEY="top-secret",
    )
    assert done == (0, "Ciao.\n", "prompt tokens: 7, completion tokens: 3, cost: unknown\n")
    [request] = server.requests
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == "Bearer top-secret"
    assert request.json["max_tokens"] == 9


async def test_an_sdk_that_is_not_there_is_one_sentence(chat_process, tmp_path):
    (tmp_path / "anthropic.py").write_text("raise ImportError('broken')")
    status, output, errors = await (await chat_process("--message", "Hi")).end()
    assert (status, output) == (2, "")
    assert errors.startswith("ferrogen chat: ")
    assert "pip install 'ferrogen[anthropic]'" in errors
    assert errors.count("\n") == 1
