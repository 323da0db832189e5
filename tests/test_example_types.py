"""Types as users see them: examples pass mypy in strict mode, and wrong arguments do not."""

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


# A misspelled or mistyped argument of a client is an error.
MISTAKES = """
from ferrogen.models.anthropic import AnthropicChatCompletionClient
from ferrogen.models.ollama import OllamaChatCompletionClient
from ferrogen.models.openai import (
    AzureOpenAIChatCompletionClient,
    OpenAIChatCompletionClient,
    OpenAIResponsesClient,
)

OpenAIChatCompletionClient(model="m", temperature=0, base_url="http://localhost")
OpenAIChatCompletionClient(model="m", temprature=0)  # wrong
AzureOpenAIChatCompletionClient(model="m", temprature=0)  # wrong
OpenAIResponsesClient(model="m", temprature=0)  # wrong
AnthropicChatCompletionClient(model="m", temprature=0)  # wrong
OllamaChatCompletionClient(model="m", option={})  # wrong
OpenAIChatCompletionClient(model="m", temperature="hot")  # wrong
OpenAIChatCompletionClient(temperature=0)  # wrong
"""


@pytest.mark.timeout(900)
def test_the_examples_are_typed_and_wrong_arguments_are_found(tmp_path: Path) -> None:
    """In one run: most of its time is for what the programs import."""
    names = {}
    for name, code in examples():
        path = tmp_path / f"example_{re.sub(r'[^a-zA-Z0-9]', '_', name)}.py"
        assert path.name not in names, "two examples have one name"
        names[path.name] = name
        path.write_text(HOOKED + code if "install()" in code else code, encoding="utf-8")
    (tmp_path / "mistakes.py").write_text(MISTAKES, encoding="utf-8")
    command = (
        *(sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")),
        *("--cache-dir", str(ROOT / ".mypy_cache"), "--no-explicit-package-bases"),
        *("--no-error-summary", "mistakes.py", *sorted(names)),
    )
    done = subprocess.run(
        command,
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT / "python"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    wrong, others = set(), []
    for line in done.stdout.splitlines():
        if found := re.match(r"mistakes\.py:(\d+): error", line):
            wrong.add(int(found[1]))
        elif not line.startswith("mistakes.py:"):
            file, colon, rest = line.partition(":")
            others.append(f"{names.get(file, file)}{colon}{rest}")
    assert others == [], "\n".join([*others, done.stderr])
    lines = enumerate(MISTAKES.splitlines(), start=1)
    assert wrong == {number for number, line in lines if "# wrong" in line}, done.stdout
    assert done.returncode == 1, done.stderr
