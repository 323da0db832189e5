"""``ferrogen skill`` prints the migration guide, or installs it with its references."""

from pathlib import Path

import pytest

import ferrogen as package
from ferrogen.cli.main import main

SKILL = Path(package.__file__).parent / "skills" / "migrate-from-autogen"


@pytest.fixture
def skill(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        status = main(["skill", *arguments])
        printed = capsys.readouterr()
        return status, printed.out, printed.err

    return call


def files_below(folder):
    return {
        str(path.relative_to(folder)): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file() and path.suffix in {".md", ".py"}
    }


def test_the_guide_is_printed(skill):
    assert skill() == (0, (SKILL / "SKILL.md").read_text("utf-8"), "")


def test_the_folder_is_installed_as_it_is(skill, tmp_path):
    status, output, errors = skill("--install", "agent/skills")
    installed = tmp_path / "agent" / "skills" / "migrate-from-autogen"
    assert (status, errors) == (0, "")
    assert output.endswith("migrate-from-autogen is ready: 10 files, SKILL.md first\n")
    assert files_below(installed) == files_below(SKILL)


def test_an_installed_skill_is_not_overwritten(skill, tmp_path):
    skill("--install", ".")
    (tmp_path / "migrate-from-autogen" / "SKILL.md").write_text("mine")
    status, output, errors = skill("--install", ".")
    assert (status, output) == (2, "")
    assert errors == (
        'ferrogen skill: "migrate-from-autogen" exists: remove it, or name another folder\n'
    )
    assert (tmp_path / "migrate-from-autogen" / "SKILL.md").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_one_sentence(skill, tmp_path):
    (tmp_path / "file").write_text("")
    status, output, errors = skill("--install", "file/skills")
    assert (status, output) == (1, "")
    assert errors.startswith('ferrogen skill: the folder "file/skills/migrate-from-autogen" could')
    assert errors.count("\n") == 1
