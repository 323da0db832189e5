"""The built site has every public name, guide and decision, and loads nothing remote."""

from __future__ import annotations

import ast
import re
import zlib
from html.parser import HTMLParser
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "python" / "ferrogen"


def exported(module: str) -> list[str]:
    """Return what a module lists in `__all__`."""
    tree = ast.parse((PACKAGE / module).read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            names: list[str] = ast.literal_eval(node.value)
            return names
    raise LookupError(f"{module} has no __all__")


@pytest.fixture(scope="session")
def anchors(site: Path) -> set[str]:
    """Return the names that the inventory of the site has."""
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    return {line.split(" ", 1)[0] for line in zlib.decompress(inventory).decode().splitlines()}


@pytest.mark.parametrize(
    ("module", "path"),
    [
        ("ferrogen", "__init__.py"),
        *(
            (f"ferrogen.{name}", f"{name.replace('.', '/')}/__init__.py")
            for name in (
                *("code_executor", "components", "logging", "memory"),
                *("model_context", "models"),
                *("models.anthropic", "models.middleware", "models.ollama", "models.openai"),
                *("models.registry", "serialization", "testing", "tool_agent", "tools", "utils"),
            )
        ),
    ],
)
def test_every_public_name_is_in_the_reference(
    site: Path, anchors: set[str], module: str, path: str
) -> None:
    names = exported(path)
    assert names

    def is_there(name: str) -> bool:
        # A module has a page of its own.
        return name in anchors or (site / "api" / name / "index.html").is_file()

    assert [name for name in names if not is_there(f"{module}.{name}")] == []
    assert is_there(module)


def test_every_exception_is_in_the_reference(anchors: set[str]) -> None:
    tree = ast.parse((PACKAGE / "exceptions.py").read_text(encoding="utf-8"))
    names = [one.name for one in tree.body if isinstance(one, ast.ClassDef)]
    assert "FerrogenError" in names
    assert [name for name in names if f"ferrogen.exceptions.{name}" not in anchors] == []


@pytest.mark.parametrize("folder", ["concepts", "decisions", "guides"])
def test_every_page_is_in_the_navigation(site: Path, folder: str) -> None:
    pages = sorted(page.stem for page in (ROOT / "docs" / folder).glob("*.md"))
    first = site / folder / pages[-1] / "index.html"
    text = first.read_text(encoding="utf-8")
    for page in pages:
        where = r'"\./"' if page == pages[-1] else rf'"\.\./{page}/"'
        where = r'"\.\./"' if page == "index" else where
        assert re.search(rf"<a href={where} class=\"md-nav__link", text), page


class _Loaded(HTMLParser):
    """The addresses that a page loads by itself; those of links are for readers."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        loads = values.get("rel") in {"stylesheet", "preconnect", "icon", "preload"}
        for name in ("src", "href") if tag == "link" and loads else ("src",):
            if address := values.get(name):
                self.found.append(address)


def test_no_page_loads_anything_remote(site: Path) -> None:
    remote = set()
    for page in site.rglob("*.html"):
        loaded = _Loaded()
        loaded.feed(page.read_text(encoding="utf-8"))
        remote |= {address for address in loaded.found if re.match(r"(https?:)?//", address)}
    assert remote == set()


def test_links_to_files_outside_of_docs_lead_to_pages(site: Path) -> None:
    text = (site / "performance" / "index.html").read_text(encoding="utf-8")
    assert 'href="../project/benches/"' in text
    text = (site / "project" / "benches" / "index.html").read_text(encoding="utf-8")
    assert 'href="../../decisions/0012-messages-are-serialized-in-rust/"' in text
