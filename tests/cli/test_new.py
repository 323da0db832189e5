"""``ferrogen new`` makes a project whose program and checks pass, or nothing at all."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import ferrogen
from ferrogen.cli.main import main

Call = Callable[..., CompletedProcess[str]]
PACKAGES = Path(ferrogen.__file__).parent.parent


@pytest.fixture
def new(tmp_path, monkeypatch, capsys):
    """Give a function that makes a project in an empty folder, and returns what came of it."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status = main(["new", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def everything_below(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def run_in(folder, *arguments):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(PACKAGES),
            "MYPYPATH": "",
            "NO_COLOR": "1",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        check=False,
    )


# The longest one is what lines of the template must have room for.
@pytest.mark.parametrize("name", ["My-Weather_Desk2", "n" * 50])
def test_the_project_is_green(new, tmp_path, name):
    assert new(name)[0] == 0
    for tool in (
        ("pytest", "-q", "-p", "no:cacheprovider"),
        ("ruff", "check", "--no-cache"),
        ("ruff", "format", "--check", "--no-cache"),
    ):
        done = run_in(tmp_path / name, "-m", *tool)
        assert done.returncode == 0, done.stdout + done.stderr
        if tool[0] == "pytest":
            assert "4 passed" in done.stdout


def test_the_program_runs_without_a_model(new, tmp_path):
    assert new("weather")[0] == 0
    done = run_in(tmp_path / "weather", "run.py", "--offline")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        "It is 18 degrees Celsius in Turin.\n",
        "",
    )


def test_the_names_of_the_project_stand_in_its_files(new, tmp_path):
    status, output, errors = new("weather-desk")
    assert (status, errors) == (0, "")
    assert output.startswith("weather-desk is ready:\n\n    cd weather-desk\n")
    folder = tmp_path / "weather-desk"
    assert everything_below(folder) == [
        *(".gitignore", "README.md", "pyproject.toml", "run.py", "tests"),
        *("tests/test_assistant.py", "tests/test_tools.py", "weather_desk"),
        *("weather_desk/__init__.py", "weather_desk/assistant.py", "weather_desk/messages.py"),
        "weather_desk/tools.py",
    ]
    assert 'name = "weather-desk"' in (folder / "pyproject.toml").read_text()
    for path in folder.rglob("*.*"):
        assert "project_name" not in path.read_text()
        assert "project-name" not in path.read_text()


def test_an_empty_folder_is_filled(new, tmp_path, monkeypatch):
    (tmp_path / "weather").mkdir()
    assert new("weather")[0] == 0
    assert (tmp_path / "weather" / "run.py").exists()
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert new(".")[0] == 0
    assert (tmp_path / "other" / "other" / "assistant.py").exists()


def test_a_path_names_the_folder(new, tmp_path):
    (tmp_path / "work").mkdir()
    assert new(str(tmp_path / "work" / "weather"))[0] == 0
    assert (tmp_path / "work" / "weather" / "weather" / "tools.py").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "the name is empty"),
        ("a\0b", "a null character"),
        ("2fast", '"2fast" cannot be the name of a package'),
        ("weather desk", "cannot be the name of a package"),
        ("weather.desk", "cannot be the name of a package"),
        ("größe", "letters, digits"),
        ("weather-", "a letter or digit at the end"),
        ("weather\n", "cannot be the name of a package"),
        ("Class", '"class" is a keyword of Python'),
        ("match", '"match" is a keyword of Python'),
        ("json", 'there is another module "json"'),
        ("ferrogen", 'there is another module "ferrogen"'),
        ("autogen-core", 'there is another module "autogen_core"'),
        ("Pydantic", 'there is another module "pydantic"'),
        ("tests", 'there is another module "tests"'),
        ("n" * 51, "51 characters, and the most are 50"),
        ("missing/weather", "there is no folder"),
    ],
)
def test_a_name_that_cannot_be_used_is_one_sentence(new, tmp_path, name, words):
    status, output, errors = new(name)
    assert (status, output) == (2, "")
    assert errors.startswith("ferrogen new: ")
    assert words in errors
    assert everything_below(tmp_path) == []


def test_nothing_that_is_there_is_overwritten(new, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".hidden").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    for name, words in (
        ("full", 'the folder "full" is not empty'),
        ("file", '"file" is a file'),
        ("link", '"link" is a link to nothing'),
    ):
        before = everything_below(tmp_path)
        status, _, errors = new(name)
        assert status == 2
        assert words in errors
        assert everything_below(tmp_path) == before
    assert (tmp_path / "full" / ".hidden").read_text() == "mine"


def failing(monkeypatch, method, error, after=0):
    """Let a method of paths fail from one of its calls on, as a full or protected disk does."""
    real = getattr(Path, method)
    calls = []

    def fails(path, *arguments, **options):
        calls.append(path)
        if len(calls) > after:
            raise error
        return real(path, *arguments, **options)

    monkeypatch.setattr(Path, method, fails)


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize(
    ("method", "after"), [("mkdir", 0), ("write_text", 0), ("write_text", 4), ("rename", 0)]
)
def test_a_disk_that_refuses_leaves_nothing_half_written(
    new, tmp_path, monkeypatch, exists, method, after
):
    if exists:
        (tmp_path / "weather").mkdir()
    before = everything_below(tmp_path)
    failing(monkeypatch, method, PermissionError(13, "Permission denied"), after)
    status, output, errors = new("weather")
    monkeypatch.undo()
    assert (status, output) == (1, "")
    assert errors == (
        'ferrogen new: the project "weather" could not be written: Permission denied\n'
    )
    assert everything_below(tmp_path) == before


def test_a_move_that_fails_in_the_middle_is_undone(new, tmp_path, monkeypatch):
    (tmp_path / "weather").mkdir()
    failing(monkeypatch, "rename", OSError(28, "No space left on device"), after=3)
    assert new("weather")[0] == 1
    monkeypatch.undo()
    assert everything_below(tmp_path) == ["weather"]


def test_an_interrupt_leaves_nothing_half_written(new, tmp_path, monkeypatch):
    failing(monkeypatch, "write_text", KeyboardInterrupt(), after=4)
    with pytest.raises(KeyboardInterrupt):
        new("weather")
    monkeypatch.undo()
    assert everything_below(tmp_path) == []


def test_the_command_is_among_those_of_typer(ferrogen: Call, tmp_path: Path):
    assert ferrogen("new", "weather").returncode == 0
    assert (tmp_path / "weather" / "run.py").exists()
    assert "NAME" in ferrogen("new", "--help").stdout
