"""``ferrogen check-component`` prints the faults of files, and says by its exit code if any are."""

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

Call = Callable[..., CompletedProcess[str]]

GOOD = 'provider = "autogen_core.memory.ListMemory"\n[config]\nname = "tastes"\n'
BAD = json.dumps({"provider": "autogen_core.memory.ListMemory", "config": {"name": 1}})


def test_files_without_faults_are_fine(fork: Call, tmp_path: Path):
    (tmp_path / "good.toml").write_text(GOOD)
    done = fork("check-component", "good.toml", "good.toml")
    assert (done.returncode, done.stdout, done.stderr) == (0, "good.toml: no faults\n" * 2, "")


def test_every_fault_of_every_file_is_printed_with_its_place(fork: Call, tmp_path: Path):
    (tmp_path / "good.toml").write_text(GOOD)
    (tmp_path / "bad.json").write_text(BAD)
    done = fork("check-component", "bad.json", "good.toml")
    assert (done.returncode, done.stdout) == (
        1,
        "bad.json: config.name: Input should be a valid string\ngood.toml: no faults\n",
    )


def test_faults_are_printed_as_json_on_demand(fork: Call, tmp_path: Path):
    (tmp_path / "bad.json").write_text(BAD)
    done = fork("check-component", "--json", "bad.json")
    message = "Input should be a valid string"
    assert done.returncode == 1
    assert json.loads(done.stdout) == {
        "bad.json": [{"place": "config.name", "kind": "config", "message": message}]
    }


def test_components_built_on_autogen_core_are_checked_as_ferrogens(fork: Call, tmp_path: Path):
    conditions = {
        "provider": "autogen_agentchat.base.OrTerminationCondition",
        "config": {
            "conditions": [
                {
                    "provider": "autogen_agentchat.conditions.MaxMessageTermination",
                    "config": {"max_messages": many},
                }
                for many in (3, "many")
            ]
        },
    }
    (tmp_path / "conditions.json").write_text(json.dumps(conditions))
    done = fork("check-component", "conditions.json")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("conditions.json: config.conditions[1].config.max_messages: ")
    assert len(done.stdout.splitlines()) == 1


def test_a_file_that_cannot_be_read_is_a_usage_error(fork: Call, tmp_path: Path):
    (tmp_path / "broken.json").write_text("{")
    for name, words in (("none.json", "No such file"), ("broken.json", "cannot be read as JSON")):
        done = fork("check-component", name)
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
        assert "Traceback" not in done.stderr
