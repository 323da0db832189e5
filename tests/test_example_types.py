"""Every example in docstrings and guides passes mypy in strict mode, as a program of a user."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .test_docstring_examples import EXAMPLES as IN_DOCSTRINGS
from .test_guide_examples import EXAMPLES as IN_GUIDES

ROOT = Path(__file__).parent.parent
# Where the import hook is installed, two names are one class, which mypy cannot know.
HOOKED = '# mypy: disable-error-code="comparison-overlap"\n'


def examples() -> Iterator[tuple[str, str]]:
    for parameter in IN_DOCSTRINGS:
        yield str(parameter.id), parameter.values[0]
    for parameter in IN_GUIDES:
        yield str(parameter.id), parameter.values[2]


@pytest.mark.timeout(900)
def test_the_examples_are_typed(tmp_path: Path) -> None:
    names = {}
    for name, code in examples():
        path = tmp_path / f"example_{re.sub(r'[^a-zA-Z0-9]', '_', name)}.py"
        assert path.name not in names, "two examples have one name"
        names[path.name] = name
        path.write_text(HOOKED + code if "install()" in code else code, encoding="utf-8")
    command = (
        *(sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")),
        *("--cache-dir", str(ROOT / ".mypy_cache"), "--no-explicit-package-bases"),
        *("--no-error-summary", *sorted(names)),
    )
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT / "python"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    found = [
        line.replace(file, names[file], 1)
        for line in done.stdout.splitlines()
        for file in names
        if line.startswith(f"{file}:")
    ]
    assert done.returncode == 0, "\n".join([*found, done.stderr]) or done.stdout
