"""``ferrogen new``: a project with an agent, a tool, a test and a program."""

from __future__ import annotations

import argparse
import keyword
import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath

from ferrogen.cli.package_data import texts_below, write_folder

_TEMPLATE = "project_template"
_MODULE = "project_name"
_DISTRIBUTION = "project-name"
# In the template they have names that no tool takes for settings of Ferrogen itself.
_RENAMED = {"gitignore": ".gitignore", "pyproject": "pyproject.toml"}
# Longer names would not fit into the lines of the template.
_LONGEST_NAME = 50
# The other modules of a project.
_TAKEN = {"run", "tests", "conftest"}


class _RefusedError(Exception):
    """The project cannot be made; the text has the reason and the remedy."""


def main(arguments: Sequence[str]) -> int:
    """Make a project; return the exit status."""
    given: str = _parser().parse_args(arguments).path
    try:
        folder, module = _checked(given)
        write_folder(folder, _texts(folder.name, module))
    except _RefusedError as error:
        print(f"ferrogen new: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        reason = error.strerror or error
        print(
            f'ferrogen new: the project "{given}" could not be written: {reason}', file=sys.stderr
        )
        return 1
    print(
        f"{given} is ready:\n\n"
        f"    cd {given}\n"
        "    python run.py --offline    # scripted responses instead of a model\n"
        "    pytest                     # its tests, without a model\n\n"
        "README.md says how to ask a real model."
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ferrogen new",
        description="Make a project: an agent, a tool, a test with a scripted model and a program.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "path", metavar="NAME", help="the name of the project, or the path of its folder"
    )
    return parser


def _checked(given: str) -> tuple[Path, str]:
    """Return the folder of the project and the name of its package."""
    if not given or "\0" in given:
        raise _RefusedError("the name is empty or has a null character: name a project")
    # Path.absolute keeps "..", and Path.resolve follows links, which have names of their own.
    folder = Path(os.path.abspath(given))  # noqa: PTH100
    name = folder.name
    if not re.fullmatch(r"[A-Za-z](?:[A-Za-z0-9_-]*[A-Za-z0-9])?", name):
        raise _RefusedError(
            f'"{name}" cannot be the name of a package: use letters, digits, "-" and "_" of ASCII, '
            "with a letter at the beginning, and a letter or digit at the end"
        )
    if len(name) > _LONGEST_NAME:
        raise _RefusedError(
            f'"{name}" has {len(name)} characters, and the most are {_LONGEST_NAME}: '
            "use a shorter name"
        )
    module = name.lower().replace("-", "_")
    if keyword.iskeyword(module) or keyword.issoftkeyword(module):
        raise _RefusedError(f'"{module}" is a keyword of Python: use another name')
    if module in _TAKEN or _is_importable(module):
        raise _RefusedError(
            f'there is another module "{module}", which the project would hide: use another name'
        )
    if not folder.parent.is_dir():
        raise _RefusedError(f'there is no folder "{folder.parent}": make it first')
    if folder.is_symlink() and not folder.exists():
        raise _RefusedError(f'"{given}" is a link to nothing: remove it, or use another name')
    if folder.exists() and not folder.is_dir():
        raise _RefusedError(f'"{given}" is a file: use another name')
    if folder.exists() and any(folder.iterdir()):
        raise _RefusedError(f'the folder "{given}" is not empty: use another name, or empty it')
    return folder, module


def _is_importable(module: str) -> bool:
    """Return whether Python has a module of this name, in its library or among the installed."""
    if module in sys.stdlib_module_names or module == "autogen_core":
        return True
    # `python -m ferrogen` finds what lies in the current folder, and so an empty one of that name.
    here = str(Path.cwd())
    folders = [folder for folder in sys.path if folder not in ("", ".", here)]
    return PathFinder.find_spec(module, folders) is not None


def _texts(name: str, module: str) -> Iterator[tuple[PurePosixPath, str]]:
    for path, text in texts_below("ferrogen.cli", _TEMPLATE):
        place = str(path).replace(_MODULE, module)
        own = text.replace(_MODULE, module).replace(_DISTRIBUTION, name)
        yield PurePosixPath(_RENAMED.get(place, place)), own
