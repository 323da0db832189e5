"""``ferrogen graph`` prints the topology of a runtime that a module makes."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from xml.etree import ElementTree

import pytest

Call = Callable[..., CompletedProcess[str]]

PROGRAM = """
from autogen_core import RoutedAgent, SingleThreadedAgentRuntime, TypeSubscription


class Clerk(RoutedAgent): ...


async def make():
    runtime = SingleThreadedAgentRuntime()
    await Clerk.register(runtime, "clerk", lambda: Clerk("files orders"))
    await runtime.add_subscription(TypeSubscription("orders", "clerk"))
    runtime.start()
    return runtime


def empty():
    return SingleThreadedAgentRuntime()


class Factories:
    runtime = SingleThreadedAgentRuntime()


number = 1
"""

MERMAID = """\
flowchart LR
    topic0(["orders"])
    agent0["clerk"]
    topic0 --> agent0
"""

DOT = """\
digraph topology {
    rankdir=LR;
    topic0 [label="orders", shape=ellipse];
    agent0 [label="clerk", shape=box];
    topic0 -> agent0;
}
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path) -> None:
    """A program in the working folder."""
    (tmp_path / "app.py").write_text(PROGRAM)
    (tmp_path / "broken.py").write_text("import a_module_that_is_missing\n")


@pytest.mark.parametrize(("options", "printed"), [((), MERMAID), (("--format", "dot"), DOT)])
def test_the_topology_of_a_runtime_is_printed(fork: Call, options: tuple[str, ...], printed: str):
    done = fork("graph", "app:make", *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, printed, "")


def test_a_drawing_is_printed(fork: Call):
    done = fork("graph", "app:make", "--format", "svg")
    assert (done.returncode, done.stderr) == (0, "")
    assert ElementTree.fromstring(done.stdout).tag == "{http://www.w3.org/2000/svg}svg"


def test_subscriptions_for_direct_messages_are_printed_on_demand(fork: Call):
    done = fork("graph", "app:make", "--direct")
    assert 'topic0(["clerk:…"])' in done.stdout


@pytest.mark.parametrize("name", ["empty", "Factories.runtime"])
def test_a_function_or_the_runtime_itself_can_be_named(fork: Call, name: str):
    done = fork("graph", f"app:{name}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "flowchart LR\n", "")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("app", '"app" does not name a runtime: write MODULE:NAME'),
        (":make", '":make" does not name a runtime'),
        ("missing:make", 'there is no module "missing"'),
        ("app.missing:make", 'there is no module "app.missing"'),
        ("app:missing", 'module "app" has no "missing"'),
        ("app:number", '"app:number" is of class int, not a SingleThreadedAgentRuntime'),
    ],
)
def test_a_target_that_is_not_a_runtime_is_a_usage_error(fork: Call, target: str, words: str):
    done = fork("graph", target)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ferrogen graph: {words}")


def test_a_module_that_cannot_be_imported_fails_with_its_own_error(fork: Call):
    done = fork("graph", "broken:make")
    assert done.returncode == 1
    assert "No module named 'a_module_that_is_missing'" in done.stderr
