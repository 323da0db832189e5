"""The documents at the root and in docs/ point at things that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = [
    *(ROOT / f"{name}.md" for name in ("README", "ARCHITECTURE", "CONTRIBUTING", "CHANGELOG")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
LINK = re.compile(r"\]\((?!https?://)([^)#]+)")
# A path from the root, in backticks; a word alone is the name of a file that the text has placed.
PATH = re.compile(r"`((?:docs|examples|python|rust|startup|tests|tools)/[\w./-]+)`")
ROW = re.compile(r"^\|(.+)\|$", re.MULTILINE)


def found(pattern: re.Pattern[str]) -> list[tuple[Path, str]]:
    """Return what a pattern finds in each document, which is something."""
    matches = [
        (document, match)
        for document in DOCUMENTS
        for match in pattern.findall(document.read_text(encoding="utf-8"))
    ]
    assert matches
    return matches


def test_links_lead_to_files():
    links = found(LINK)
    assert [link for link in links if not (link[0].parent / link[1]).exists()] == []


def test_paths_from_the_root_exist():
    paths = found(PATH)
    assert [path for path in paths if not (ROOT / path[1]).exists()] == []


def test_decisions_are_numbered_without_a_gap_and_say_what_they_must():
    pages = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(page.name[:4]) for page in pages] == list(range(1, len(pages) + 1))
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"# {page.name[:4]} "), page.name
        for part in ("## Context", "## Decision", "## Consequences"):
            assert part in text, f"{page.name} has no {part}"


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables of a text."""
    return [[cell.strip() for cell in row.split("|")] for row in ROW.findall(text)]


def section(document: str, heading: str) -> str:
    text = (ROOT / document).read_text(encoding="utf-8").partition(f"\n{heading}\n")[2]
    return re.split(r"^#", text, maxsplit=1, flags=re.MULTILINE)[0]


def test_the_costs_in_the_readme_are_those_of_the_bench():
    measured = {
        (floor, upstream, ours, ratio)
        for _, floor, upstream, ours, _, ratio, *_ in filter(
            lambda row: len(row) == 8,
            rows(section("benches/README.md", "### `make bench BENCH=runtime`")),
        )
    }
    costs = [tuple(row[1:]) for row in rows(section("README.md", "## Cost of a message"))[2:]]
    assert len(costs) > 5
    assert [row for row in costs if row not in measured] == []


# In backticks, or as a line of a block of commands.
MAKE = re.compile(r"(?:`|^    (?:[A-Z_]+=\S+ )*)make ([a-z][a-z-]*)", re.MULTILINE)
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def test_targets_of_make_exist():
    targets = set(re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.MULTILINE))
    assert [named for named in found(MAKE) if named[1] not in targets] == []


def test_only_the_metadata_of_the_package_names_the_assumed_address():
    sources = [
        *(path for path in ROOT.glob("*") if path.is_file()),
        *(
            path
            for folder in (".github", "benches", "docs", "examples", "python", "rust", "tools")
            for path in (ROOT / folder).rglob("*.*")
            if path.suffix in {".md", ".py", ".pyi", ".rs", ".toml", ".yml"}
            and "target" not in path.parts
        ),
    ]
    assert {path.name for path in sources if b"github.com/ferrogen" in path.read_bytes()} == {
        "CONTRIBUTING.md",
        "pyproject.toml",
    }
