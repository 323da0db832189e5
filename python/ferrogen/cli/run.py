"""``ferrogen run``: a program written for autogen_core, unchanged, on Ferrogen.

The program gets a fresh interpreter in place of this one, with the import hook switched on. So
``__main__``, tracebacks, exit codes and signals are those of ``python PROGRAM`` because it is that;
running it inside this interpreter would have to imitate each of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined]

from _ferrogen_hook import STARTUP_FILE, VARIABLE
from ferrogen.compat.install import children_are_hooked


def main(arguments: Sequence[str]) -> int:
    """Run a program; this process becomes that of the program, where the system can do that."""
    options, rest = _split(arguments)
    module = _parser().parse_args(options).module
    if not rest:
        return _refuse("there is no PROGRAM: name a file, or with -m a module", 2)
    program = rest[0]
    # "-" is Python's name for standard input.
    if not module and program != "-" and not Path(program).exists():
        return _refuse(f'there is no program "{program}"', 2)
    if not children_are_hooked():
        return _refuse(
            f'Python does not find the startup file "{STARTUP_FILE}" of ferrogen: install ferrogen '
            "into this environment with pip, or call ferrogen.install() in the program",
            1,
        )
    # The helper that multiprocessing uses to start children with the options of their parent.
    command = [sys.executable, *_args_from_interpreter_flags()]
    command += ["-m", *rest] if module else rest
    os.environ[VARIABLE] = "1"
    sys.stdout.flush()
    sys.stderr.flush()
    return _become(command)


def _become(command: list[str]) -> int:
    if sys.platform != "win32":
        os.execv(command[0], command)
    # On Windows, exec ends this process at once, and the shell does not wait for the program.
    with subprocess.Popen(command) as program:
        while True:
            # Ctrl+C is for the program, which gets it too.
            with suppress(KeyboardInterrupt):
                return program.wait()


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separate the options of this command from the program with its arguments."""
    for index, argument in enumerate(arguments):
        if argument == "--":
            return list(arguments[:index]), list(arguments[index + 1 :])
        if argument == "-" or not argument.startswith("-"):
            return list(arguments[:index]), list(arguments[index:])
    return list(arguments), []


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ferrogen run",
        usage="ferrogen run [-m] PROGRAM [ARGS]...",
        description="Run a program with ferrogen in the place of autogen_core.",
        epilog="What stands behind PROGRAM is given to it untouched.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "-m", "--module", action="store_true", help="PROGRAM is a module, as with python -m"
    )
    return parser


def _refuse(sentence: str, status: int) -> int:
    print(f"ferrogen run: {sentence}", file=sys.stderr)
    return status
