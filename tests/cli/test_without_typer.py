"""The command without the extra ``cli``: what works, and what the others say."""

import pytest

# As if it were not installed, for the finders too.
WITHOUT = """
import sys
from importlib.abc import MetaPathFinder


class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("typer", "rich", "click"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


import importlib.util

real = importlib.util.find_spec
importlib.util.find_spec = lambda name: None if name == "typer" else real(name)
sys.meta_path.insert(0, Absent())
from ferrogen.cli.main import main

sys.exit(main())
"""


@pytest.fixture
def without(fork_server, tmp_path):
    program = tmp_path / "without.py"
    program.write_text(WITHOUT)
    server = fork_server("ferrogen")
    return lambda *arguments: server.run(str(program), *arguments, cwd=tmp_path)


def test_programs_run_with_arguments_and_exit_codes(without, tmp_path):
    (tmp_path / "program.py").write_text(
        "import sys, autogen_core; print(autogen_core.__name__, sys.argv[1:]); sys.exit(3)"
    )
    done = without("run", "program.py", "--help", "x")
    assert (done.returncode, done.stdout, done.stderr) == (3, "ferrogen ['--help', 'x']\n", "")


def test_projects_can_be_made_and_the_skill_printed(without, tmp_path):
    assert without("new", "weather").returncode == 0
    assert (tmp_path / "weather" / "run.py").exists()
    assert without("skill").stdout.startswith("---\nname: migrate-from-autogen\n")


def test_the_version_is_printed(without):
    done = without("--version")
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, "ferrogen", "")


@pytest.mark.parametrize("command", ["models", "chat", "graph", "check-component", "walk"])
def test_another_command_says_what_to_install(without, command):
    done = without(command)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f'ferrogen: the command "{command}" needs typer, which is not installed: '
        "pip install 'ferrogen[cli]' (run, new and skill work without it)\n"
    )


@pytest.mark.parametrize("arguments", [(), ("--help",)])
def test_help_lists_what_works(without, arguments):
    done = without(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert "ferrogen run PROGRAM" in done.stdout
    assert "pip install 'ferrogen[cli]'" in done.stdout
