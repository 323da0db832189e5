"""A misspelled or mistyped argument of a client is an error of mypy."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
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
def test_a_wrong_argument_of_a_client_is_found_by_mypy(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    done = subprocess.run(
        (
            *(sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")),
            *("--cache-dir", str(ROOT / ".mypy_cache"), "--no-explicit-package-bases"),
            "program.py",
        ),
        cwd=tmp_path,
        env={"MYPYPATH": str(ROOT / "python"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {int(line) for line in re.findall(r"^program\.py:(\d+): error", done.stdout, re.M)}
    lines = PROGRAM.splitlines()
    assert found == {n for n, line in enumerate(lines, start=1) if "# wrong" in line}, done.stdout
