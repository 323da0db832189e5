"""Types as users see them: examples pass mypy in strict mode, and wrong arguments do not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ..test_docstring_examples import EXAMPLES as IN_DOCSTRINGS
from ..test_guide_examples import EXAMPLES as IN_GUIDES

ROOT = Path(__file__).parents[2]
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

# A handler overrides that of a base class as a method does, and can be called as one.
OVERRIDES = """
from ferrogen import MessageContext, RoutedAgent, message_handler, rpc


class Base(RoutedAgent):
    @message_handler
    async def on_text(self, message: str, ctx: MessageContext) -> None: ...

    @rpc
    async def on_number(self, message: int, ctx: MessageContext) -> float:
        return 2.0


class Same(Base):
    @message_handler
    async def on_text(self, message: str, ctx: MessageContext) -> None:
        await super().on_text(message, ctx)
        print(Base.on_text.target_types, self.on_text.router)

    @rpc
    async def on_number(self, message: int, ctx: MessageContext) -> float:
        return await self.on_number(message, ctx) + 1


class Wider(Base):
    @message_handler
    async def on_text(self, message: str | bytes, ctx: MessageContext) -> None:
        await super().on_text(b"no", ctx)  # wrong

    @rpc
    async def on_number(self, message: int, ctx: MessageContext) -> int:
        return 1


class Other(Base):
    @message_handler
    async def on_text(self, message: bytes, ctx: MessageContext) -> None: ...  # wrong
"""
MADE = {"mistakes.py": MISTAKES, "overrides.py": OVERRIDES}


@pytest.mark.timeout(900)
def test_the_examples_are_typed_and_wrong_arguments_are_found(tmp_path: Path) -> None:
    """In one run: most of its time is for what the programs import."""
    names = {}
    for name, code in examples():
        path = tmp_path / f"example_{re.sub(r'[^a-zA-Z0-9]', '_', name)}.py"
        assert path.name not in names, "two examples have one name"
        names[path.name] = name
        path.write_text(HOOKED + code if "install()" in code else code, encoding="utf-8")
    for name, code in MADE.items():
        (tmp_path / name).write_text(code, encoding="utf-8")
    command = (
        *(sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml")),
        *("--cache-dir", str(ROOT / ".mypy_cache"), "--no-explicit-package-bases"),
        *("--no-error-summary", *MADE, *sorted(names)),
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
        file, colon, rest = line.partition(":")
        if file not in MADE:
            others.append(f"{names.get(file, file)}{colon}{rest}")
        elif found := re.match(r"(\d+): error", rest):
            wrong.add((file, int(found[1])))
    assert others == [], "\n".join([*others, done.stderr])
    assert wrong == {
        (name, number)
        for name, code in MADE.items()
        for number, line in enumerate(code.splitlines(), start=1)
        if "# wrong" in line
    }, done.stdout
    assert done.returncode == 1, done.stderr
