"""Interpreters of the languages that a sandbox runs."""

import os
import shutil
from collections.abc import Mapping, Sequence

from ferrogen.code_executor.sandbox.view import SystemView
from ferrogen.exceptions import SandboxOptionError

_SAME = {"py": "python", "python3": "python", "shell": "sh"}
_SHELLS = {"sh": "/bin/sh", "bash": "/bin/bash"}
_SUFFIXES = {"python": ".py", "sh": ".sh", "bash": ".sh", "javascript": ".js", "node": ".js"}

Interpreters = Mapping[str, Sequence[str] | str]


class Languages:
    """The languages of a started sandbox.

    Args:
        view: The visible part of the host.
        allowed: The interpreters that the user allows, by language: a command, to which the path of
            the code is added.

    Raises:
        SandboxOptionError: An interpreter is not there, or not visible in the sandbox.
    """

    def __init__(self, view: SystemView, allowed: Interpreters) -> None:
        self._commands = {"python": [view.python]}
        for language, path in _SHELLS.items():
            if os.access(path, os.X_OK):
                self._commands[language] = [path]
        for language, command in allowed.items():
            self._commands[language.lower()] = _resolved(language, command, view)

    @property
    def names(self) -> list[str]:
        """The languages, without their other names."""
        return sorted(self._commands)

    def command(self, language: str) -> list[str] | None:
        """Return the command of a language as a Markdown fence names it, or None."""
        return self._commands.get(self._name(language))

    def is_python(self, language: str) -> bool:
        """Whether a language is Python."""
        return self._name(language) == "python"

    def suffix(self, language: str) -> str:
        """Return the ending of the file with the code."""
        name = self._name(language)
        return _SUFFIXES.get(name, f".{name}" if name.isalnum() else "")

    def _name(self, language: str) -> str:
        name = language.strip().lower()
        return name if name in self._commands else _SAME.get(name, name)


def _resolved(language: str, command: Sequence[str] | str, view: SystemView) -> list[str]:
    program, *arguments = [command] if isinstance(command, str) else command
    found = shutil.which(program, path=os.pathsep.join(view.search_path))
    if found is None:
        raise SandboxOptionError(
            f"the interpreter of {language!r}, {program!r}, was not found in"
            f" {', '.join(view.search_path)}: give its full path"
        )
    if not view.shows(found):
        raise SandboxOptionError(
            f"the interpreter of {language!r}, {found}, is not visible in the sandbox: add its"
            " folder to read_only"
        )
    return [found, *arguments]
