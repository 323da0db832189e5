"""Every Python block of the guides is a program, and runs without an error or a warning."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDES = Path(__file__).parent.parent / "docs" / "guides"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLES = [
    pytest.param(block[1], id=f"{guide.stem}-{number}")
    for guide in sorted(GUIDES.glob("*.md"))
    for number, block in enumerate(BLOCK.finditer(guide.read_text(encoding="utf-8")), start=1)
]


# In an interpreter of its own: an installed import hook cannot be taken out of a process.
@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_runs(example: str, tmp_path: Path):
    program = tmp_path / "program.py"
    program.write_text(example, encoding="utf-8")
    clean = {name: text for name, text in os.environ.items() if name != "FERROGEN_INSTALL"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        env=clean,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_there_are_guides_with_examples():
    assert {param.id.rpartition("-")[0] for param in EXAMPLES} == {
        guide.stem for guide in GUIDES.glob("*.md")
    }
