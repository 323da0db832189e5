"""The writer and the critic, on both runtimes, against a scripted model."""

from __future__ import annotations

import re
import signal
import sys
import threading
from pathlib import Path
from typing import Any


def test_the_two_agents_alternate(serve: Any, team: Any, runtime: str) -> None:
    requests: list[list[str]] = []

    def response(request: Any, _: str) -> None:
        role, *said = (message["content"] for message in request.asked)
        requests.append([role.split()[3].strip("."), *said])
        request.say("Line ", f"{len(requests)}.")
        request.complete()

    result = team(serve(response), "Write.", "--turns", "4")
    assert (result.returncode, result.stderr) == (0, "")
    assert requests == [
        ["writer", "Write."],
        ["critic", "Write.", "Line 1."],
        ["writer", "Write.", "Line 1.", "Line 2."],
        ["critic", "Write.", "Line 1.", "Line 2.", "Line 3."],
    ]
    shown = re.findall(r"^-+ \w+ \((\w+)\) -+\n(.*)", result.stdout, re.MULTILINE)
    assert shown == [("user", "Write.")] + [
        (name, f"Line {number}.")
        for number, name in enumerate(("writer", "critic", "writer", "critic"), start=1)
    ]
    table = dict(re.findall(r"^(\w.*?) {2,}(\S+)", result.stdout, re.MULTILINE))
    assert table["runtime"] == {"upstream": "autogen_core", "ferrogen": "ferrogen"}[runtime]
    assert table["turns"] == "4"
    assert 0 < float(table["outside the model"]) / 1e3 < float(table["wall time"])


def test_a_server_error_is_one_sentence(serve: Any, team: Any) -> None:
    result = team(serve(lambda request, _: request.send_error(400)))
    assert result.returncode == 1
    assert re.fullmatch(r"team: BadRequestError: .*400.*\n", result.stderr)


def test_without_a_model_it_says_what_to_set(team: Any) -> None:
    result = team("")
    assert result.returncode == 2
    assert "set OPENAI_API_KEY, or OPENAI_BASE_URL" in result.stderr


def test_an_interrupted_conversation_ends_with_one_sentence(serve: Any, begin: Any) -> None:
    never = threading.Event()

    def response(request: Any, _: str) -> None:
        request.say("Well, ")
        never.wait()

    program = begin("team.py", serve(response))
    program.read_until("(writer)")
    program.send_signal(signal.SIGINT)
    status, errors = program.end()
    never.set()
    assert (status, errors) == (130, "team: interrupted\n")


def test_it_imports_what_an_agentchat_program_imports() -> None:
    text = (Path(__file__).resolve().parents[2] / "examples" / "team.py").read_text()
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported - sys.stdlib_module_names == {
        "autogen_agentchat",
        "autogen_core",
        "autogen_ext",
    }
