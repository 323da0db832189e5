"""Every example in the documentation of the public API is a program that runs."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import ferrogen
from ferrogen import (
    _image,
    code_executor,
    exceptions,
    logging,
    memory,
    models,
    serialization,
    testing,
    tool_agent,
    tools,
    utils,
)
from ferrogen.models import anthropic, batch, middleware, ollama, openai
from ferrogen.runtime.calls import calls
from ferrogen.runtime.lifecycle import lifetime
from ferrogen.tools import mcp

ROOT = Path(__file__).parent.parent
SOURCES = [*sorted((ROOT / "python" / "ferrogen").rglob("*.py*")), ROOT / "README.md"]
LINES = {
    path: [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    for path in SOURCES
    if path.suffix in {".py", ".pyi", ".md"}
}
BLOCK = re.compile(r"(?ms)^(?P<indent> *)```python\n(?P<code>.*?)^(?P=indent)```$")


def blocks(text: str | None) -> Iterator[str]:
    for match in BLOCK.finditer(text or ""):
        yield textwrap.dedent(match["code"])


def public(owner: ModuleType) -> Iterator[tuple[str, Any]]:
    names = getattr(owner, "__all__", None)
    for name in dir(owner):
        value = getattr(owner, name)
        own = getattr(value, "__module__", None) == owner.__name__ and not name.startswith("_")
        if own if names is None else name in names:
            yield name, value


def documented(owner: ModuleType) -> Iterator[tuple[str, str | None]]:
    """Give the public classes and functions of a module, and their methods, with docstrings."""
    yield owner.__name__, owner.__doc__
    for name, value in public(owner):
        if inspect.isclass(value):
            yield f"{owner.__name__}.{name}", value.__doc__
            for member, found in vars(value).items():
                yield f"{owner.__name__}.{name}.{member}", getattr(found, "__doc__", None)
        elif inspect.isfunction(value):
            yield f"{owner.__name__}.{name}", value.__doc__


def in_the_stub() -> Iterator[tuple[str, str | None]]:
    """Give the docstrings of the stubs, which Python never loads."""
    for path in ("_core.pyi", "messaging/routes.pyi", "runtime/introspection/times.pyi"):
        tree = ast.parse((ROOT / "python/ferrogen" / path).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
                yield f"_core.pyi {node.name}", ast.get_docstring(node)


def place_of(code: str) -> tuple[Path, int]:
    """Find the file that holds the example, and the number of its first line there."""
    wanted = [line.strip() for line in code.splitlines()]
    for path, lines in LINES.items():
        for number, line in enumerate(lines, start=1):
            if line == wanted[0] and lines[number - 1 : number - 1 + len(wanted)] == wanted:
                return path, number
    raise LookupError(code)


def examples() -> Iterator[Any]:
    sources = [
        *documented(ferrogen),
        *documented(exceptions),
        *documented(logging),
        *documented(_image),
        *documented(memory),
        *documented(memory.filters),
        *documented(models),
        *documented(anthropic),
        *documented(batch),
        *documented(middleware),
        *documented(ollama),
        *documented(openai),
        *documented(testing),
        *documented(tools),
        *documented(mcp),
        *documented(tool_agent),
        *documented(utils),
        *documented(code_executor),
        *documented(serialization),
        *documented(calls),
        *documented(lifetime),
        *in_the_stub(),
        ("README", (ROOT / "README.md").read_text(encoding="utf-8")),
    ]
    for name, text in sources:
        for number, code in enumerate(blocks(text)):
            yield pytest.param(code, id=f"{name}-{number}" if number else name)


EXAMPLES = list(examples())


@pytest.mark.parametrize("code", EXAMPLES)
def test_the_example_runs(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "install()" in code:  # the hook cannot be taken out of a process again
        subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
    else:
        path, line = place_of(code)  # for the traceback
        program = compile("\n" * (line - 1) + code, str(path), "exec", dont_inherit=True)
        exec(program, {"__name__": "__main__"})


def test_every_public_class_has_an_example() -> None:
    with_example = {example.id for example in EXAMPLES}
    lacking = [
        name
        for name in ferrogen.__all__
        if inspect.isclass(getattr(ferrogen, name))
        and not {f"ferrogen.{name}", f"_core.pyi {name}"} & with_example
    ]
    assert lacking == []
