"""Pages for documents outside of docs/, and links that work on a forge and in the site.

A document links to files by their paths in the repository. In the site, a link to another document
leads to its page; a link to any other file leads to a page that shows the file.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

# Documents outside of docs/, by the page that each becomes.
DOCUMENTS = {
    "ARCHITECTURE.md": "project/architecture.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "project/contributing.md",
    "benches/README.md": "project/benches.md",
}
# What the README says is on these pages.
HOME = {"README.md": "index.md"}
LANGUAGES = {".py": "python", ".pyi": "python", ".toml": "toml", ".rs": "rust", ".sh": "sh"}

_FENCE = re.compile(r"^ *(```+|~~~+)")
_LINK = re.compile(r"(`[^`]*`)|(\]\()([^)\s]+)")
_SCHEME = re.compile(r"^[a-z][a-z+.-]*:")
_LIST_ITEM = re.compile(r"^(?:[-*+]|\d+\.) ")


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Yields each line, and whether it is prose."""
    fence = ""
    for line in text.splitlines():
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
            yield line, False
        elif mark and line.strip() == fence:
            fence = ""
            yield line, False
        else:
            yield line, not fence


def _site_uri(path: str) -> str:
    """Returns the page or the asset that a file of the repository is in the site."""
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return DOCUMENTS.get(path) or HOME.get(path) or f"source/{path}.md"


def _repository_path(uri: str) -> str:
    """Returns the file of the repository that a page was made of."""
    for path, page in DOCUMENTS.items():
        if page == uri:
            return path
    return f"docs/{uri}"


def _target(link: str, document: str) -> tuple[str, str] | None:
    """Returns the path that a link leads to, and the place in it; None for other links."""
    if _SCHEME.match(link) or link.startswith(("#", "/")):
        return None
    path, mark, place = link.partition("#")
    return posixpath.normpath(posixpath.join(posixpath.dirname(document), path)), mark + place


def _links(text: str, document: str) -> Iterator[str]:
    """Yields the paths in the repository that a document links to."""
    for line, is_prose in _lines(text):
        for match in _LINK.finditer(line) if is_prose else ():
            if match[3] and (target := _target(match[3], document)):
                yield target[0]


def _rewritten(line: str, document: str, uri: str, root: Path) -> str:
    def link(match: re.Match[str]) -> str:
        target = _target(match[3], document) if match[3] else None
        # What leads nowhere stays as it is: the build reports it.
        if target is None or not (root / target[0]).is_file():
            return match[0]
        path, place = target
        return match[2] + posixpath.relpath(_site_uri(path), posixpath.dirname(uri)) + place

    return _LINK.sub(link, line)


def _page_of_source(path: str, text: str) -> str:
    fence = "`" * max(3, *(len(run) + 1 for run in re.findall("`+", text)), 0)
    language = LANGUAGES.get(posixpath.splitext(path)[1], "text")
    return f"# {path}\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the documents outside of docs/, and a page for each other file that is linked to."""
    root = Path(config.config_file_path).parent
    texts = {
        _repository_path(file.src_uri): file.content_string
        for file in files.documentation_pages()
        if not file.src_uri.startswith(("api/", "source/"))
    }
    for path, uri in DOCUMENTS.items():
        texts[path] = (root / path).read_text(encoding="utf-8")
        files.append(File.generated(config, uri, content=texts[path]))
    linked = {path for document, text in texts.items() for path in _links(text, document)}
    for path in sorted(linked):
        uri = _site_uri(path)
        if uri.startswith("source/") and (root / path).is_file():
            page = _page_of_source(path, (root / path).read_text(encoding="utf-8"))
            files.append(File.generated(config, uri, content=page))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links to pages, and separates a list from the paragraph before it, as forges do."""
    del files
    uri = page.file.src_uri
    if uri.startswith(("api/", "source/")):
        return markdown
    root = Path(config.config_file_path).parent
    document = _repository_path(uri)
    result: list[str] = []
    before = ""
    for line, is_prose in _lines(markdown):
        starts_list = is_prose and _LIST_ITEM.match(line) and before.strip()
        if starts_list and not _LIST_ITEM.match(before) and not before.startswith(" "):
            result.append("")
        result.append(_rewritten(line, document, uri, root) if is_prose else line)
        before = line
    return "\n".join(result) + "\n"
