"""``ferrogen run``: a program written for autogen_core, unchanged, on Ferrogen.

The program gets a fresh interpreter in place of this one, with the import hook switched on. So
``__main__``, tracebacks, exit codes and signals are those of ``python PROGRAM`` because it is that;
running it inside this interpreter would have to imitate each of them.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from subprocess import _args_from_interpreter_flags  # type: ignore[attr-defined]
from typing import Annotated, NoReturn

import typer

from _ferrogen_hook import STARTUP_FILE, VARIABLE
from ferrogen.compat.startup import children_are_hooked


def run(
    program: Annotated[str, typer.Argument(metavar="PROGRAM", help="A file, or with -m a module.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ARGS]...", help="Given to the program untouched."),
    ] = None,
    module: Annotated[
        bool, typer.Option("--module", "-m", help="PROGRAM is a module, as with python -m.")
    ] = False,
) -> None:
    """Run a program with ferrogen in the place of autogen_core."""
    # "-" is Python's name for standard input.
    if not module and program != "-" and not Path(program).exists():
        _refuse(f'there is no program "{program}"', exit_code=2)
    if not children_are_hooked():
        _refuse(
            f'Python does not find the startup file "{STARTUP_FILE}" of ferrogen: install ferrogen '
            "into this environment with pip, or call ferrogen.install() in the program",
            exit_code=1,
        )
    # The helper that multiprocessing uses to start children with the options of their parent.
    command = [sys.executable, *_args_from_interpreter_flags()]
    command += ["-m", program] if module else [program]
    command += arguments or []
    os.environ[VARIABLE] = "1"
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, command)


def _refuse(sentence: str, exit_code: int) -> NoReturn:
    typer.echo(f"ferrogen run: {sentence}", err=True)
    raise typer.Exit(exit_code)
