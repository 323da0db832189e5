"""AgentChat's assistants, as they come from PyPI, think with a client that has wrappers."""

import os
from pathlib import Path

import pytest

from ...imported_modules import AGENTCHAT_ON_FERROGEN

PROGRAM = Path(__file__).with_name("programs") / "assistants.py"


@pytest.fixture(scope="module")
def said(fork_server):
    """What the program printed, line by line."""
    server = str(Path(__file__).parents[1])
    env = {**os.environ, "PYTHONPATH": server, "NO_PROXY": "127.0.0.1"}
    done = fork_server(*AGENTCHAT_ON_FERROGEN, installed=True).run(str(PROGRAM), env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_an_assistant_uses_a_tool_although_the_service_was_busy(said):
    assert said[0] == "['7 km to Turin', 'It is ', '7 km.'] 3"


def test_the_same_task_is_served_from_the_cache_in_the_same_pieces(said):
    assert said[1] == said[0]


def test_a_team_is_identified_by_its_assistants_and_counts_as_one_conversation(said):
    assert said[2:5] == ["['It is.', 'Indeed.']", "{'guide': 20, 'critic': 20}", "[40]"]


def test_what_was_remembered_is_used_and_not_paid_for(said):
    paid, used = 30 + 30 + 20 + 20, 30 + 30 + 30 + 30 + 20 + 20
    assert said[5] == f"{paid} {used}"
