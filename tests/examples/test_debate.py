"""The debate, on both runtimes, against a scripted model: what it says, counts and exits with."""

from __future__ import annotations

import itertools
import os
import pty
import re
import signal
import sys
import threading
from typing import Any

import pytest

from .conftest import EXAMPLES

QUESTION = "What is 6 times 7?"
OPINION = "Someone answers: "


def voting(*finals: str) -> tuple[Any, list[str]]:
    """Returns a response that says `finals`, one each, in the second round, and the prompts."""
    prompts: list[str] = []
    votes = iter(finals)
    lock = threading.Lock()

    def response(request: Any, prompt: str) -> None:
        with lock:
            prompts.append(prompt)
            words = next(votes) if OPINION in prompt else "Perhaps 40."
        request.say(*re.findall(r"\S+\s*", words))
        request.complete()

    return response, prompts


def one_line(stderr: str) -> str:
    """Returns the only line of what must be one clear sentence."""
    assert len(stderr.splitlines()) == 1, stderr
    return stderr.strip()


def test_the_majority_of_the_last_round_decides(serve: Any, debate: Any) -> None:
    response, _ = voting("It is 42.", "No, 41.", "It is 42, of course. Is 7 odd?", "42")
    result = debate(serve(response), QUESTION, "--rounds", "2")
    assert result.returncode == 0, result.stderr
    assert "Verdict: 42, said by 3 of 4" in result.stdout.splitlines()
    assert not result.stderr


def test_a_tie_is_not_called_a_verdict(serve: Any, debate: Any) -> None:
    response, _ = voting("No.", "No, it is not.", "Yes!", "Yes, surely.")
    result = debate(serve(response), "Is 91 a prime number?", "--rounds", "2")
    (verdict,) = (line for line in result.stdout.splitlines() if line.startswith("Verdict"))
    assert verdict in {
        "Verdict: undecided between no and yes, 2 of 4 each",
        "Verdict: undecided between yes and no, 2 of 4 each",
    }


def test_each_solver_receives_from_its_two_neighbors(serve: Any, debate: Any) -> None:
    response, prompts = voting(*["42"] * 5)
    debate(serve(response), QUESTION, "--rounds", "2", "--solvers", "5")
    opinions = sorted(prompt.count(OPINION) for prompt in prompts)
    assert opinions == [0] * 5 + [2] * 5


def test_every_message_delivered_is_counted_and_timed(
    serve: Any, debate: Any, runtime: str
) -> None:
    response, _ = voting(*["42"] * 8)
    result = debate(serve(response), QUESTION, "What is 1 plus 41?", "--rounds", "2")
    table = dict(re.findall(r"^(\w.*?) {2,}(\S+)", result.stdout, re.MULTILINE))
    # For each of two questions: it goes to the chair and 4 solvers, 4 opinions to 2 neighbours
    # each, 4 final responses to the chair.
    assert table["messages delivered"] == str(2 * (1 + 4 + 4 * 2 + 4))
    assert table["runtime"] == {"upstream": "autogen_core", "ferrogen": "ferrogen"}[runtime]
    assert 0 < float(table["model time"]) <= float(table["wall time"])
    assert float(table["runtime time"]) > 0
    per_message = float(table["runtime time"]) * 1e3 / 34
    assert float(table["runtime per message"]) == pytest.approx(per_message, abs=1)


def test_what_each_says_stays_in_one_line_although_all_speak_at_once(
    serve: Any, debate: Any
) -> None:
    all_speak = threading.Barrier(4)

    def response(request: Any, _: str) -> None:
        request.say("The ", "answer ")
        all_speak.wait(20)
        request.say("is:\n", "42.")
        request.complete()

    result = debate(serve(response), QUESTION, "--rounds", "1")
    said = sorted(line for line in result.stdout.splitlines() if line.startswith("solver"))
    assert said == [f"solver-{number}, round 1: The answer is: 42." for number in (1, 2, 3, 4)]


def test_a_server_that_dies_during_a_response_is_one_sentence(serve: Any, debate: Any) -> None:
    def response(request: Any, _: str) -> None:
        request.say("Well, ")  # and the connection closes without another word

    url = serve(response)
    result = debate(url, QUESTION)
    assert result.returncode == 1
    assert f"the model at {url} broke off in the middle of a response" in one_line(result.stderr)


def test_a_truncated_response_is_not_a_response(serve: Any, debate: Any) -> None:
    def response(request: Any, _: str) -> None:
        request.say("It is 4")
        request.close_body()

    result = debate(serve(response), QUESTION)
    assert result.returncode == 1
    assert "broke off in the middle of a response" in one_line(result.stderr)


def test_one_failure_among_many_responses_ends_the_debate(serve: Any, debate: Any) -> None:
    requests = itertools.count(1)

    def response(request: Any, _: str) -> None:
        request.say("42.")
        if next(requests) != 7:
            request.complete()

    result = debate(serve(response), QUESTION, "--rounds", "3")
    assert result.returncode == 1
    assert "broke off in the middle of a response" in one_line(result.stderr)
    assert "Verdict" not in result.stdout


def test_a_server_error_is_one_sentence(serve: Any, debate: Any) -> None:
    result = debate(serve(lambda request, _: request.send_error(500)), QUESTION)
    assert result.returncode == 1
    # Versions of the SDK word it differently.
    assert re.search("sent no response: .*(500|InternalServerError)$", one_line(result.stderr))


def test_a_server_that_is_not_there_is_one_sentence(debate: Any) -> None:
    url = "http://127.0.0.1:1/v1"
    result = debate(url, QUESTION)
    assert result.returncode == 1
    assert f"the model at {url} sent no response" in one_line(result.stderr)


def test_an_interrupted_debate_ends_with_one_sentence(serve: Any, begin: Any) -> None:
    never = threading.Event()

    def response(request: Any, _: str) -> None:
        request.say("Well, ")
        never.wait()

    program = begin("debate.py", serve(response), QUESTION)
    program.read_until("Question")
    program.output.read(len("solver-1"))  # now the model is at work
    program.send_signal(signal.SIGINT)
    status, errors = program.end()
    never.set()
    assert status == 130
    assert one_line(errors) == "debate: interrupted"


def test_without_a_model_it_says_what_to_set(debate: Any) -> None:
    result = debate("", QUESTION)
    assert result.returncode == 2
    assert "set OPENAI_API_KEY, or OPENAI_BASE_URL" in result.stderr


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_gets_colours_and_progress(
    serve: Any, forks: Any, environment: Any, no_color: str, coloured: bool
) -> None:
    response, _ = voting("42", "42")
    terminal, its_end = pty.openpty()
    process = forks.start(
        *(str(EXAMPLES / "debate.py"), QUESTION, "--solvers", "2", "--rounds", "2"),
        env=environment(OPENAI_BASE_URL=serve(response), NO_COLOR=no_color),
        streams=[its_end] * 3,
    )
    os.close(its_end)
    shown = b""
    try:
        while piece := os.read(terminal, 4096):
            shown += piece
    except OSError:  # how a terminal reports that the other end is closed
        pass
    finally:
        os.close(terminal)
    assert process.wait() == 0
    assert ("\033[32msolver-1, round 1" in shown.decode()) is coloured
    assert "4 of 4 responses" in shown.decode()


def test_it_imports_what_an_autogen_program_imports() -> None:
    text = "\n".join((EXAMPLES / f"{name}.py").read_text() for name in ("debate", "debate_model"))
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported - sys.stdlib_module_names == {"autogen_core", "debate_model", "openai"}
