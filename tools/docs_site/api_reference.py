"""The pages of the API reference: one for each public module, with every name it exports.

The pages are made of the sources: a name that is added to `__all__` appears by itself. The build
fails if a public class, function, method or module has no docstring, and if a page imports from a
module of Ferrogen that has no page here.
"""

import logging
import re
from collections.abc import Iterator
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

# Public modules without `__all__`, besides those that a package lists in its own: their public
# names are the classes and functions that they define.
WITHOUT_ALL = {
    "ferrogen.exceptions",
    "ferrogen.models.batch",
    "ferrogen.models.tokens",
    "ferrogen.models.usage",
}
# Modules that only repeat names of other pages.
REPEATED = {
    "ferrogen.models.openai.chunks",
    "ferrogen.models.providers",
    "ferrogen.models.scripted",
    "ferrogen.models.wrappers",
    "ferrogen.testing.virtual_clock",
    "ferrogen.testing.virtual_time_loop",
}
# The first is described by the guide on AutoGen programs, the second by `ferrogen --help`.
OTHERWISE_DOCUMENTED = {"ferrogen.compat", "ferrogen.cli"}

# Their names are exported by other modules, most of them by `ferrogen`.
INTERNAL = {
    "ferrogen.agents",
    "ferrogen.json_schema",
    "ferrogen.messaging",
    "ferrogen.runtime",
    "ferrogen.serialization.native",
    "ferrogen.state",
    "ferrogen.telemetry",
}

# In docs/api/index.md, in place of the table.
TABLE = "<!-- the table of the modules -->"

_IMPORT = re.compile(r"^\s*(?:from|import) (ferrogen(?:\.[a-z]\w*)+)", re.MULTILINE)
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_KINDS = (
    ("Classes", griffe.Kind.CLASS),
    ("Functions and decorators", griffe.Kind.FUNCTION),
    ("Constants and types", None),
)

_log = logging.getLogger("mkdocs.ferrogen.api_reference")


def _modules(module: griffe.Module) -> Iterator[griffe.Module]:
    """Yields the public modules of a package, itself included."""
    if module.path in REPEATED | OTHERWISE_DOCUMENTED | INTERNAL:
        return
    listed = module.parent is not None and module.name in map(str, module.parent.exports or ())
    if module.exports is not None or listed or module.path in WITHOUT_ALL:
        yield module
    for name, inner in sorted(module.modules.items()):
        if not name.startswith("_") and not inner.is_alias:
            yield from _modules(inner)


def _found(module: griffe.Module, name: str) -> griffe.Object:
    """Returns what a public name stands for, where it is defined."""
    try:
        member = module[name]
        return member.final_target if isinstance(member, griffe.Alias) else member
    except (KeyError, griffe.AliasResolutionError) as error:
        raise PluginError(f"{module.path} exports {name}, whose source was not found") from error


def _names(module: griffe.Module) -> list[str]:
    """Returns the public names of a module, modules excluded."""
    if module.exports is not None:
        names = [str(name) for name in module.exports]
    else:
        names = [
            name
            for name, member in module.members.items()
            if not name.startswith("_")
            and not member.is_alias
            and (member.is_class or member.is_function)
        ]
    return sorted((name for name in names if not _found(module, name).is_module), key=str.lower)


def _own_bases(class_: griffe.Class) -> list[griffe.Class]:
    """Returns the classes of this package that a class inherits from."""
    try:
        return list(class_.mro())
    except ValueError:  # no linear order is known without the bases of other packages
        bases = class_.resolved_bases
        found = [base.final_target if isinstance(base, griffe.Alias) else base for base in bases]
        return [base for base in found if isinstance(base, griffe.Class)]


def _undocumented(path: str, found: griffe.Object) -> Iterator[str]:
    """Yields what has no docstring: a name, or methods and properties of a class."""
    if not found.has_docstring:
        yield path
    if not isinstance(found, griffe.Class):
        return
    bases = _own_bases(found)
    for name, member in found.members.items():
        is_method = member.is_function or "property" in member.labels
        if name.startswith("_") or member.is_alias or not is_method:
            continue
        inherited = (base.members.get(name) for base in bases)
        if not any(one is not None and one.has_docstring for one in (member, *inherited)):
            yield f"{path}.{name}"


def _page(module: griffe.Module, public: set[str]) -> str:
    """Returns the page of a module."""
    lines = [f"# {module.path}", "", module.docstring.value if module.docstring else "", ""]
    shown: set[str] = set()
    names = _names(module)
    for title, kind in _KINDS:
        of_kind = [
            name
            for name in names
            if name not in shown and (kind is None or _found(module, name).kind is kind)
        ]
        shown.update(of_kind)
        if not of_kind:
            continue
        lines += [f"## {title}", ""]
        for name in of_kind:
            lines += [f"::: {module.path}.{name}", "    options:", "      heading_level: 3"]
            found = _found(module, name)
            private_bases = isinstance(found, griffe.Class) and any(
                base.path not in public for base in _own_bases(found)
            )
            if private_bases:
                # Their members have no other place.
                lines.append("      inherited_members: true")
            lines.append("")
    return "\n".join(lines)


def _table(modules: list[griffe.Module]) -> str:
    lines = ["| module | contains |", "|---|---|"]
    for module in modules:
        summary = module.docstring.value.splitlines()[0] if module.docstring else ""
        lines.append(f"| [`{module.path}`]({module.path}.md) | {summary} |")
    return "\n".join(lines)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages, and reports what is missing."""
    python = Path(config.config_file_path).parent / "python"
    loader = griffe.GriffeLoader(search_paths=[python], allow_inspection=False)
    package = loader.load("ferrogen")
    loader.resolve_aliases(implicit=False, external=False)
    assert isinstance(package, griffe.Module)
    modules = list(_modules(package))
    public = {_found(module, name).path for module in modules for name in _names(module)}

    for module in modules:
        if not module.has_docstring:
            _log.warning("%s has no docstring", module.path)
        for name in _names(module):
            for path in _undocumented(f"{module.path}.{name}", _found(module, name)):
                _log.warning("%s is public and has no docstring", path)
        uri = f"api/{module.path}.md"
        files.append(File.generated(config, uri, content=_page(module, public)))
    index = files.src_uris["api/index.md"]
    if TABLE not in index.content_string:
        _log.warning("%s has no line %r", index.src_uri, TABLE)
    content = index.content_string.replace(TABLE, _table(modules))
    files.remove(index)
    files.append(File.generated(config, index.src_uri, content=content))

    documented = {module.path for module in modules} | REPEATED | OTHERWISE_DOCUMENTED
    for file in files.documentation_pages():
        for block in _BLOCK.finditer(file.content_string):
            for path in set(_IMPORT.findall(block[1])) - documented:
                _log.warning("%s imports from %s, which has no page", file.src_uri, path)
    return files
