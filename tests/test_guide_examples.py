"""Every Python block in docs/ is a program, and runs without an error or a warning."""

import re
from pathlib import Path

import pytest

from .imported_modules import FERROGEN, STRICT

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [
    page
    for pattern in ("*.md", "concepts/*.md", "guides/*.md")
    for page in sorted(DOCS.glob(pattern))
]
# These describe and compare, and have no program.
WITHOUT_EXAMPLES = {
    *("index.md", "concepts/index.md", "differences.md", "performance.md"),
    *("guides/command-line.md", "guides/demo.md"),
}
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


def examples():
    for guide in PAGES:
        text = guide.read_text(encoding="utf-8")
        for number, block in enumerate(BLOCK.finditer(text), start=1):
            line = text.count("\n", 0, block.start(1)) + 1
            yield pytest.param(guide, line, block[1], id=f"{name_of(guide)}-{number}")


EXAMPLES = list(examples())

# Not tracebacks as such: a guide about failures shows handlers that fail, which are logged.
LEFT_BEHIND = (
    "was never awaited",
    "never retrieved",
    "was destroyed but",
    "Exception ignored",
    "Exception in callback",
    "Unhandled exception",
)


# In a fork of its own: an installed import hook cannot be taken out of a process.
@pytest.mark.parametrize(("guide", "line", "code"), EXAMPLES)
def test_the_example_runs(guide: Path, line: int, code: str, tmp_path: Path, fork_server):
    # A traceback names the lines of the guide.
    program = tmp_path / f"{guide.stem}.py"
    program.write_text("\n" * (line - 1) + code, encoding="utf-8")
    done = fork_server(*FERROGEN, flags=STRICT).run(str(program), cwd=tmp_path)
    place = f"{guide.relative_to(ROOT)}:{line}"
    assert done.returncode == 0, f"{place} failed:\n{done.stderr}"
    for words in LEFT_BEHIND:
        assert words not in done.stderr, f"{place} left something behind:\n{done.stderr}"


def test_every_guide_has_an_example():
    with_example = {param.id.rpartition("-")[0] for param in EXAMPLES}
    assert with_example == {name_of(page) for page in PAGES} - WITHOUT_EXAMPLES
