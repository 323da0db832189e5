"""Every row of docs/differences.md names a test that shows it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\|(?!\s*(?:what\s*\||---))(.+)\|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows():
    text = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    return [[cell.strip() for cell in row.split(" | ")] for row in ROW.findall(text)]


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row_names_a_test_that_exists(row):
    assert len(row) == 5, "what, upstream, Ferrogen, why, test"
    assert all(row), "no cell is empty"
    tests = TEST.findall(row[-1])
    assert tests, "the last cell names a test as `tests/folder/test_file.py::test_name`"
    for file, name in tests:
        assert re.search(rf"^(?:async )?def {name}\(", (ROOT / file).read_text(), re.MULTILINE)


def test_every_test_of_a_difference_stands_in_the_table():
    named = {tuple(test) for row in rows() for test in TEST.findall(row[-1])}
    there = {
        (str(file.relative_to(ROOT)), name)
        for file in Path(__file__).parent.glob("test_*.py")
        if file != Path(__file__)
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }
    assert there - named == set()
