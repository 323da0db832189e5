"""Every example in docstrings and guides passes mypy in its strict mode."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

import pytest

mypy = pytest.importorskip("mypy.api")

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(?ms)^(?P<indent> *)```python\n(?P<code>.*?)^(?P=indent)```$")
ERROR = re.compile(r"^(?P<file>[^:]+):(?P<line>\d+): error: (?P<words>.*)$", re.MULTILINE)
# Their examples are not typed yet: those of packages that are being rewritten.
UNTYPED = {
    "docs/guides/components.md",
    "docs/guides/logs-and-traces.md",
    "docs/guides/messages-on-the-wire.md",
    "docs/guides/running-autogen-programs.md",
}
TYPED_PACKAGES = ("models", "testing", "_messaging")


def sources() -> list[Path]:
    package = ROOT / "python" / "ferrogen"
    files = [file for name in TYPED_PACKAGES for file in sorted((package / name).rglob("*.py"))]
    guides = [ROOT / "README.md", *sorted((ROOT / "docs" / "guides").glob("*.md"))]
    return files + [guide for guide in guides if str(guide.relative_to(ROOT)) not in UNTYPED]


@pytest.mark.timeout(300)
def test_examples_are_typed(tmp_path: Path) -> None:
    places: dict[str, tuple[Path, int]] = {}
    for source in sources():
        text = source.read_text(encoding="utf-8")
        for match in BLOCK.finditer(text):
            name = f"example_{len(places)}.py"
            places[name] = (source.relative_to(ROOT), text.count("\n", 0, match.start("code")))
            (tmp_path / name).write_text(textwrap.dedent(match["code"]), encoding="utf-8")
    assert len(places) > 50
    config = tmp_path / "mypy.ini"
    config.write_text(
        f"[mypy]\nstrict = true\npython_version = 3.10\nmypy_path = {ROOT / 'python'}\n"
        "explicit_package_bases = true\n"
        # What the package imports is checked by the lint.
        f"[mypy-ferrogen.*]\nfollow_imports = silent\n",
        encoding="utf-8",
    )
    files = [str(tmp_path / name) for name in places]
    cache = ["--cache-dir", str(ROOT / ".mypy_cache" / "examples")]
    output, errors, _ = mypy.run(["--config-file", str(config), *cache, *files])
    assert errors == ""
    found = []
    for match in ERROR.finditer(output):
        source, line = places[Path(match["file"]).name]
        found.append(f"{source}:{line + int(match['line'])}: {match['words']}")
    assert found == []


@pytest.mark.timeout(300)
def test_a_misspelled_argument_of_a_client_is_an_error(tmp_path: Path) -> None:
    program = tmp_path / "misspelled.py"
    program.write_text(
        "from ferrogen.models.anthropic import AnthropicChatCompletionClient\n"
        "from ferrogen.models.ollama import OllamaChatCompletionClient\n"
        "from ferrogen.models.openai import OpenAIChatCompletionClient, OpenAIResponsesClient\n"
        "OpenAIChatCompletionClient(model='m', temprature=0)\n"
        "OpenAIResponsesClient(model='m', temprature=0)\n"
        "AnthropicChatCompletionClient(model='m', temprature=0)\n"
        "OllamaChatCompletionClient(model='m', option={})\n"
        "OpenAIChatCompletionClient(model='m', temperature='hot')\n",
        encoding="utf-8",
    )
    cache = ["--cache-dir", str(ROOT / ".mypy_cache" / "examples")]
    config = tmp_path / "mypy.ini"
    config.write_text(f"[mypy]\nstrict = true\nmypy_path = {ROOT / 'python'}\n", encoding="utf-8")
    output, _, _ = mypy.run(["--config-file", str(config), *cache, str(program)])
    lines = [
        int(match["line"]) for match in ERROR.finditer(output) if "misspelled" in match["file"]
    ]
    assert lines == [4, 5, 6, 7, 8]
