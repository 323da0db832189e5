"""``ferrogen chat`` talks to a service, here a scripted one, as a person or a script would."""

import asyncio
import os
import signal
from contextlib import suppress

import pytest

from ..imported_modules import FERROGEN, STRICT
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
    """A running ``ferrogen chat``, of which output and errors are read, and what it reads."""

    def __init__(self, program, output, errors, typed):
        self.program, self.output, self.errors, self.typed = program, output, errors, typed

    def type(self, text):
        os.write(self.typed, text)

    async def shown(self, text):
        """Wait until a text is on the screen."""
        seen = b""
        while text not in seen:
            piece = await self.output.read(100)
            assert piece, seen
            seen += piece

    async def end(self):
        output, errors = await asyncio.gather(self.output.read(), self.errors.read())
        status = await asyncio.to_thread(self.program.wait)
        return status, output.decode(), errors.decode()


def arguments_for(server):
    return ["--provider", "anthropic", "--model", "scripted", "--base-url", server.url]


def environment(**changes):
    clean = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return {**clean, "NO_PROXY": "127.0.0.1", "NO_COLOR": "1", **changes}


@pytest.fixture
def forks(fork_server):
    return fork_server(*FERROGEN, flags=STRICT)


@pytest.fixture
async def chat(server, forks, tmp_path):
    """Give a function that calls ``ferrogen chat`` with the scripted server, in a fork."""

    async def call(*arguments, typed="", **changes):
        command = ["-m", "ferrogen", "chat", *arguments_for(server), *arguments]
        options = {"cwd": tmp_path, "env": environment(**changes), "text": typed}
        done = await asyncio.to_thread(forks.run, *command, **options)
        return done.returncode, done.stdout, done.stderr

    return call


async def reader_of(descriptor):
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", 0)
    )
    return reader


@pytest.fixture
async def at_terminal(server, forks, tmp_path):
    """Give a function that starts ``ferrogen chat``, which reads from a terminal, in a fork."""
    started = []

    async def start(*arguments):
        plain = environment(TERM="dumb")
        del plain["NO_COLOR"]
        (output, its_output), (errors, its_errors) = os.pipe(), os.pipe()
        typed, its_input = os.openpty()
        streams = [its_input, its_output, its_errors]
        command = ["-m", "ferrogen", "chat", *arguments_for(server), *arguments]
        program = forks.start(*command, streams=streams, cwd=tmp_path, env=plain)
        for descriptor in streams:
            os.close(descriptor)
        started.append(Terminal(program, await reader_of(output), await reader_of(errors), typed))
        return started[-1]

    yield start
    for terminal in started:
        terminal.program.kill()
        await terminal.end()  # what is read to its end is closed
        os.close(terminal.typed)


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
    # 12 tokens at 0.80 dollars a million, 100 from the cache at 0.08, and 30 completed at 4.00.
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


async def test_an_interrupted_response_ends_cleanly(server, at_terminal):
    server.play([*stream(start(), text(0, "Ci"))[:-1], asyncio.Event()])
    terminal = await at_terminal("--message", "Hello?")
    assert await terminal.output.readexactly(2) == b"Ci"
    terminal.program.send_signal(signal.SIGINT)
    status, output, errors = await terminal.end()
    assert (status, output) == (130, "\n")
    assert errors == "prompt tokens: 12, completion tokens: 1, cost: unknown\n"
    await server.deserted()


async def test_at_a_terminal_the_conversation_continues_after_an_interrupted_response(
    server, at_terminal
):
    server.play([*stream(start(), text(0, "Ci"))[:-1], asyncio.Event()], HELLO)
    terminal = await at_terminal()
    terminal.type(b"Hello?\n")
    await terminal.shown(b"Ci")
    terminal.program.send_signal(signal.SIGINT)
    terminal.type(b"Again?\n")
    await server.asked(2)
    terminal.type(b"\x04")  # Ctrl+D
    status, output, errors = await terminal.end()
    assert status == 0
    assert "Ciao.\n" in output
    assert "Traceback" not in errors
    said = [message["content"][0]["text"] for message in server.requests[1].json["messages"]]
    assert said == ["Hello?", "Ci", "Again?"]


async def test_at_a_terminal_the_conversation_continues_after_a_failure(server, at_terminal):
    server.play(json_response({"error": {"message": "not now"}}, 400), HELLO)
    terminal = await at_terminal()
    terminal.type(b"Hello?\nAgain?\n")
    await terminal.shown(b"Ciao.")
    terminal.type(b"\x04")
    status, _, errors = await terminal.end()
    assert status == 0
    assert "not now" in errors
    said = [message["content"][0]["text"] for message in server.requests[1].json["messages"]]
    assert said == ["Again?"]


async def test_an_interrupt_at_the_prompt_ends_the_conversation(server, at_terminal):
    server.play(HELLO)
    terminal = await at_terminal()
    terminal.type(b"Hello?\n")
    await terminal.shown(b"Ciao.\n> ")
    while terminal.program.returncode is None:
        # One that comes between the prompt and the reading of the line is seen with the next.
        terminal.program.send_signal(signal.SIGINT)
        with suppress(TimeoutError):
            await asyncio.to_thread(terminal.program.wait, 1.5)
    status, _, errors = await terminal.end()
    assert status == 0
    assert errors.endswith(USED)
    assert "Traceback" not in errors


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


def test_an_sdk_that_is_not_there_is_one_sentence(server, process, tmp_path):
    (tmp_path / "anthropic.py").write_text("raise ImportError('broken')")
    done = process("chat", *arguments_for(server), "--message", "Hi")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ferrogen chat: ")
    assert "pip install 'ferrogen[anthropic]'" in done.stderr
    assert done.stderr.count("\n") == 1
