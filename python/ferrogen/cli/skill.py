"""``ferrogen skill``: the migration guide for coding agents, printed or installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ferrogen.cli.package_data import texts_below, write_folder

NAME = "migrate-from-autogen"


def main(arguments: Sequence[str]) -> int:
    """Print the guide, or install the folder; return the exit status."""
    folder: str | None = _parser().parse_args(arguments).install
    texts = list(texts_below("ferrogen", "skills", NAME))
    if folder is None:
        print({str(path): text for path, text in texts}["SKILL.md"], end="")
        return 0
    target = Path(folder) / NAME
    try:
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            print(
                f'ferrogen skill: "{target}" exists: remove it, or name another folder',
                file=sys.stderr,
            )
            return 2
        target.parent.mkdir(parents=True, exist_ok=True)
        write_folder(target, texts)
    except OSError as error:
        reason = error.strerror or error
        print(
            f'ferrogen skill: the folder "{target}" could not be written: {reason}',
            file=sys.stderr,
        )
        return 1
    print(f"{target} is ready: {len(texts)} files, SKILL.md first")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ferrogen skill",
        description="Print the guide by which a coding agent moves a program from AutoGen to "
        "Ferrogen, or install it with its references and examples.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--install",
        metavar="FOLDER",
        help=f"make the folder {NAME} in this folder of skills, such as .agents/skills",
    )
    return parser
