"""Patterns in the navigation: each stands for the pages that no other entry names."""

import logging
from fnmatch import fnmatchcase
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files

_log = logging.getLogger("mkdocs.ferrogen.navigation")


def _named(entry: Any) -> set[str]:
    """Returns the pages and patterns that an entry of the navigation names."""
    if isinstance(entry, str):
        return {entry}
    parts = entry.values() if isinstance(entry, dict) else entry
    return set().union(*map(_named, parts))


def _expanded(entry: Any, pages: list[str], taken: set[str]) -> list[Any]:
    """Returns the entries that stand for one entry."""
    if isinstance(entry, dict):
        return [
            {title: part if isinstance(part, str) else _all_expanded(part, pages, taken)}
            for title, part in entry.items()
        ]
    if "*" not in entry:
        return [entry]
    found = [page for page in pages if fnmatchcase(page, entry) and page not in taken]
    if not found:
        _log.info("no page is left for the pattern %s of the navigation", entry)
    taken.update(found)
    return found


def _all_expanded(entries: list[Any], pages: list[str], taken: set[str]) -> list[Any]:
    return [one for entry in entries for one in _expanded(entry, pages, taken)]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replaces the patterns."""
    uris = (file.src_uri for file in files.documentation_pages())
    # A package comes before its modules.
    pages = sorted(uris, key=lambda uri: uri.removesuffix(".md"))
    if config.nav is not None:
        taken = {name for name in _named(config.nav) if "*" not in name}
        config.nav = _all_expanded(config.nav, pages, taken)
    return files
