"""What the build of the site refuses, and how it maps links: its hooks, without a build."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

HOOKS = Path(__file__).resolve().parents[2] / "tools" / "docs_site"

pytest.importorskip("mkdocs", reason="mkdocs is not installed: make test-docs")

from mkdocs.config.defaults import MkDocsConfig  # noqa: E402 - it may be missing
from mkdocs.exceptions import PluginError  # noqa: E402
from mkdocs.structure.files import File, Files  # noqa: E402


def hook(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, HOOKS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def repository(tmp_path: Path) -> Callable[..., tuple[Files, MkDocsConfig]]:
    """Make a repository of files, and return its documents as MkDocs sees them."""

    def make(**texts: str) -> tuple[Files, MkDocsConfig]:
        for document in ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "benches/README.md"):
            texts.setdefault(document, "# A document\n")
        texts.setdefault("docs/api/index.md", "<!-- the table of the modules -->\n")
        for name, text in texts.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text, encoding="utf-8")
        config = MkDocsConfig(config_file_path=str(tmp_path / "mkdocs.yml"))
        config.load_dict({"site_name": "a site", "docs_dir": str(tmp_path / "docs")})
        assert config.validate() == ([], [])
        docs = tmp_path / "docs"
        files = Files(
            [
                File(
                    page.relative_to(docs).as_posix(),
                    str(docs),
                    str(tmp_path / "site"),
                    use_directory_urls=True,
                )
                for page in sorted(docs.rglob("*.md"))
            ]
        )
        config.plugins._current_plugin = "a test"
        return files, config

    return make


class Page:
    def __init__(self, file: File) -> None:
        self.file = file


def rewritten(files: Files, config: MkDocsConfig, uri: str) -> str:
    links = hook("repository_links")
    links.on_files(files, config)
    file = files.src_uris[uri]
    text: str = links.on_page_markdown(file.content_string, Page(file), config, files)
    return text


def test_links_lead_to_documents_and_to_pages_of_files(repository):
    text = "[a](../../ARCHITECTURE.md#errors) [b](../../examples/one.py) [c](https://x/y.md)\n"
    files, config = repository(**{"docs/guides/a.md": text, "examples/one.py": "print(1)\n"})
    assert rewritten(files, config, "guides/a.md") == (
        "[a](../project/architecture.md#errors) [b](../source/examples/one.py.md) "
        "[c](https://x/y.md)\n"
    )
    assert "print(1)" in files.src_uris["source/examples/one.py.md"].content_string


def test_links_of_documents_outside_of_docs_lead_to_pages(repository):
    text = "[a](docs/guides/a.md) `[b](docs/guides/a.md)`\n```\n[c](docs/guides/a.md)\n```\n"
    files, config = repository(**{"CHANGELOG.md": text, "docs/guides/a.md": "# A\n"})
    expected = text.replace("[a](docs/", "[a](", 1)
    assert rewritten(files, config, "changelog.md") == expected


def test_a_link_that_leads_nowhere_is_left_for_the_build_to_report(repository):
    files, config = repository(**{"docs/a.md": "[a](../missing.md)\n"})
    assert rewritten(files, config, "a.md") == "[a](../missing.md)\n"


def test_a_list_is_separated_from_the_paragraph_before_it(repository):
    text = "Words:\n- one\n- two\n  more\n- three\n"
    files, config = repository(**{"docs/a.md": text})
    assert rewritten(files, config, "a.md") == text.replace("Words:\n", "Words:\n\n")


def test_a_pattern_of_the_navigation_stands_for_the_pages_that_are_not_named(repository):
    names = ("a", "b", "c-1", "c-2")
    files, config = repository(**{f"docs/guides/{name}.md": "# A page\n" for name in names})
    config.nav = [{"Guides": ["guides/b.md", "guides/c-*.md", "guides/*.md"]}]
    hook("navigation").on_files(files, config)
    assert config.nav == [
        {"Guides": ["guides/b.md", "guides/c-1.md", "guides/c-2.md", "guides/a.md"]}
    ]


PACKAGE = '''"""A package."""

from ._private import Shown

__all__ = ["Shown", "bare"]


def bare() -> None:
    pass
'''
PRIVATE = '''"""A private module."""


class Shown:
    """A class."""

    def silent(self) -> None:
        pass

    def _hidden(self) -> None:
        pass
'''


def test_public_names_without_a_docstring_are_reported(repository, caplog):
    files, config = repository(
        **{
            "python/ferrogen/__init__.py": PACKAGE,
            "python/ferrogen/_private.py": PRIVATE,
        }
    )
    with caplog.at_level(logging.WARNING, "mkdocs"):
        hook("api_reference").on_files(files, config)
    assert caplog.messages == [
        "ferrogen.bare is public and has no docstring",
        "ferrogen.Shown.silent is public and has no docstring",
    ]
    assert "::: ferrogen.Shown" in files.src_uris["api/ferrogen.md"].content_string


def test_a_page_that_imports_from_a_module_without_a_page_is_reported(repository, caplog):
    files, config = repository(
        **{
            "python/ferrogen/__init__.py": '"""A package."""\n\n__all__ = []\n',
            "docs/a.md": "```python\nfrom ferrogen.other import thing\n```\n",
        }
    )
    with caplog.at_level(logging.WARNING, "mkdocs"):
        hook("api_reference").on_files(files, config)
    assert caplog.messages == ["a.md imports from ferrogen.other, which has no page"]


def test_an_exported_name_that_is_not_defined_is_an_error(repository):
    files, config = repository(
        **{"python/ferrogen/__init__.py": '"""A package."""\n\n__all__ = ["missing"]\n'}
    )
    with pytest.raises(PluginError, match="ferrogen exports missing, whose source was not found"):
        hook("api_reference").on_files(files, config)
