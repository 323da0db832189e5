"""The skill has a front matter, and names files and parts of Ferrogen that are there."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
import yaml

import ferrogen

SKILL = Path(ferrogen.__file__).parent / "skills" / "migrate-from-autogen"
PAGES = sorted(SKILL.rglob("*.md"))
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
NAME = re.compile(r"`(ferrogen(?:\.\w+)+)(?:\(.*?\))?`")


def named_parts() -> list[str]:
    return sorted({name for page in PAGES for name in NAME.findall(page.read_text("utf-8"))})


def resolve(name: str) -> object:
    """Import as much of a dotted name as can be imported; the rest are attributes."""
    first, *rest = name.split(".")
    found: object = import_module(first)
    for index, part in enumerate(rest):
        if not hasattr(found, part):
            import_module(".".join([first, *rest[: index + 1]]))
        found = getattr(found, part)
    return found


def test_the_front_matter_is_that_of_a_skill():
    start, front, text = (SKILL / "SKILL.md").read_text("utf-8").split("---\n", 2)
    fields = yaml.safe_load(front)
    assert start == ""
    assert set(fields) == {"name", "description"}
    assert fields["name"] == SKILL.name
    assert re.fullmatch(r"[a-z0-9-]{1,64}", fields["name"])
    assert 0 < len(fields["description"]) <= 1024
    assert text.startswith("\n# ")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path):
    links = LINK.findall(page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_linked_from_the_first():
    links = LINK.findall((SKILL / "SKILL.md").read_text("utf-8"))
    linked = {(SKILL / link).resolve() for link in links}
    assert {page.resolve() for page in (SKILL / "references").iterdir()} <= linked


@pytest.mark.parametrize("name", named_parts())
def test_a_named_part_is_there(name: str):
    assert resolve(name) is not None


def test_parts_are_named():
    assert {"ferrogen.exceptions", "ferrogen.testing.ScriptedModel"} <= {*named_parts()}
