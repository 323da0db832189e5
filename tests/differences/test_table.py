"""Every row of docs/differences.md names a test that shows it."""

import functools
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\|(?!\s*(?:what\s*\||---))(.+)\|$", re.MULTILINE)
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows():
    text = (ROOT / "docs" / "differences.md").read_text(encoding="utf-8")
    return [[cell.strip() for cell in row.split(" | ")] for row in ROW.findall(text)]


@functools.cache
def names_in(file):
    return set(re.findall(r"^(?:async )?def (test_\w+)\(", (ROOT / file).read_text(), re.MULTILINE))


def test_rows_have_all_their_cells():
    # What, upstream, Ferrogen, why, test.
    assert [row for row in rows() if len(row) != 5 or not all(row)] == []


def test_each_row_names_a_test_that_exists():
    # The last cell names it as `tests/folder/test_file.py::test_name`.
    assert rows()
    assert [row for row in rows() if not TEST.findall(row[-1])] == []
    named = [test for row in rows() for test in TEST.findall(row[-1])]
    assert [(file, name) for file, name in named if name not in names_in(file)] == []


def test_every_test_of_a_difference_stands_in_the_table():
    named = {tuple(test) for row in rows() for test in TEST.findall(row[-1])}
    there = {
        (str(file.relative_to(ROOT)), name)
        for file in Path(__file__).parent.glob("test_*.py")
        if file != Path(__file__)
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE)
    }
    assert there - named == set()
