"""Runs the examples as programs, most in forks, and plays the language model they talk to."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ..fork_server import ForkServer
from ..imported_modules import AGENTCHAT, AGENTCHAT_ON_FERROGEN

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
# What a test must not inherit from the person who runs it.
FOREIGN = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MODEL", "PORT", "NO_COLOR", "FERROGEN_INSTALL")

Answer = Callable[["ScriptedRequest", str], None]


class ScriptedRequest(BaseHTTPRequestHandler):
    """One request for a completion; the test's response speaks through it."""

    protocol_version = "HTTP/1.1"
    response: Answer

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked: list[dict[str, str]] = body["messages"]
        self.close_connection = True
        type(self).answer(self, self.asked[-1]["content"])

    def log_message(self, format: str, *args: object) -> None:
        """Keeps quiet."""

    def say(self, *words: str) -> None:
        """Begins the streamed response, or goes on with it."""
        if not hasattr(self, "begun"):
            self.begun = True
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
        for word in words:
            self._stream({"delta": {"content": word}, "finish_reason": None})

    def complete(self) -> None:
        """Ends the response as a healthy server does."""
        self._stream({"delta": {}, "finish_reason": "stop"})
        self._chunk("data: [DONE]\n\n")
        self.close_body()

    def close_body(self) -> None:
        """Ends the HTTP body, whether the response is complete or not."""
        self.wfile.write(b"0\r\n\r\n")

    def _stream(self, choice: dict[str, object]) -> None:
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "scripted"}
        self._chunk(f"data: {json.dumps({**chunk, 'choices': [{'index': 0, **choice}]})}\n\n")

    def _chunk(self, text: str) -> None:
        self.wfile.write(f"{len(text.encode()):x}\r\n{text}\r\n".encode())
        self.wfile.flush()


Serve = Callable[[Answer], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Gives a function that starts a scripted model and returns its base URL."""
    servers: list[ThreadingHTTPServer] = []

    def start(response: Answer) -> str:
        handler = type("Request", (ScriptedRequest,), {"answer": staticmethod(response)})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/v1"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


Program = Callable[..., "subprocess.CompletedProcess[str]"]
Environment = Callable[..., dict[str, str]]


@pytest.fixture
def environment() -> Environment:
    """Gives a function that makes the environment an example runs in."""

    def make(**changes: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
        return {**kept, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", **changes}

    return make


@pytest.fixture(params=["upstream", "ferrogen"])
def runtime(request: pytest.FixtureRequest) -> str:
    """Names the runtime that a test's program runs on: each test runs on both."""
    return str(request.param)


def run_in(forks: ForkServer, name: str, environment: Environment) -> Program:
    def run(base_url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        env = environment(OPENAI_BASE_URL=base_url)
        return forks.run(str(EXAMPLES / name), *arguments, env=env)

    return run


@pytest.fixture
def forks(fork_server: Callable[..., ForkServer], runtime: str) -> ForkServer:
    """The fork server on that runtime."""
    if runtime == "ferrogen":
        return fork_server(*AGENTCHAT_ON_FERROGEN, installed=True)
    return fork_server(*AGENTCHAT)


@pytest.fixture
def debate(forks: ForkServer, environment: Environment) -> Program:
    """Gives a function that runs the debate to its end."""
    return run_in(forks, "debate.py", environment)


@pytest.fixture
def team(forks: ForkServer, environment: Environment) -> Program:
    """Gives a function that runs the conversation of the team to its end."""
    return run_in(forks, "team.py", environment)


class Running:
    """A running program, whose output is read while it runs."""

    def __init__(self, forks: ForkServer, env: Mapping[str, str], *arguments: str) -> None:
        reading, writing = os.pipe()
        self.output = os.fdopen(reading, encoding="utf-8")
        self.errors = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - see close()
        streams = [os.open(os.devnull, os.O_RDONLY), writing, self.errors.fileno()]
        self.program = forks.start(*arguments, env=env, streams=streams)
        for descriptor in streams[:2]:
            os.close(descriptor)

    def read_until(self, words: str) -> None:
        """Read its output to the end of the line with those words."""
        while words not in (line := self.output.readline()):
            assert line, self.end()

    def send_signal(self, number: int) -> None:
        self.program.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Its exit status and its errors."""
        self.output.read()
        status = self.program.wait()
        self.errors.seek(0)
        return status, self.errors.read()

    def close(self) -> None:
        self.program.kill()
        self.output.close()
        self.errors.close()


@pytest.fixture
def begin(forks: ForkServer, environment: Environment) -> Iterator[Callable[..., Running]]:
    """Gives a function that starts an example."""
    begun: list[Running] = []

    def start(name: str, base_url: str, *arguments: str) -> Running:
        env = environment(OPENAI_BASE_URL=base_url)
        begun.append(Running(forks, env, str(EXAMPLES / name), *arguments))
        return begun[-1]

    yield start
    for running in begun:
        running.close()
