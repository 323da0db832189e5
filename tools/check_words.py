"""Refuses words that the field has better terms for; run by `make lint`.

A word that is meant literally can be allowed below, with the reason.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

INSTEAD = {
    r"mend(ed|s|ing)?": "fix, repair",
    r"for ever": "forever",
    r"over(see|sees|seer|seen)": "observe, observer",
    r"sees to": "does, or a verb that says what is done",
    r"whoever": "caller, sender, user",
    r"(some|every|no)body": "caller, sender, user, no caller",
    r"heeds?": "honor, validate, handle",
    r"hears?|heard": "is notified, receives",
    r"overtaken by none": "in order",
    r"headroom": "stack limit",
    r"untold": "still to be delivered",
    r"(fall )?asleep": "passivated, idle",
    r"by leave": "opt-in, trusted",
    r"rehears(e|al|als)": "test program",
    r"gives? way": "is evicted, is dropped",
    r"pass(es)? over": "ignore, skip",
    r"short cut": "fast path",
    r"hands? (out|over)": "deliver, invoke, pass",
    r"late names": "lazy imports",
    r"park(ed|s|ing)?": "suspend, await",
    r"turns? of the (event )?loop": "iteration of the event loop",
}
"""A word, and what to say."""

INSTEAD_IN_DOCUMENTS = {
    r"(?<!there )(is|are|was|were) no (?!longer\b|more\b)\w+": "is not a ...",
    r"on (its|their) way": "pending, in flight",
    r"tells?": "reports, notifies",
    r"told": "notified",
    r"what is more": "also",
}
"""A phrase, and what to say in its place, in Markdown."""

ALLOWED = {
    # Texts whose tokens were counted.
    "tests/models/test_tokens.py",
    # The name of a user of Unix.
    "python/ferrogen/code_executor/sandbox/view.py",
    "tests/code_executor/test_attacks.py",
}
"""Files in which such a word is data."""

SELF = Path(__file__).resolve()
CHECKED = re.compile(r"\.(py|pyi|rs|md|toml|yml|in)$|^Makefile$")
BLOCK = re.compile(r"^ *```")


def joined(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern for any of the words."""
    return re.compile(rf"\b(?:{'|'.join(f'(?:{word})' for word in words)})\b", re.IGNORECASE)


EVERYWHERE = joined(INSTEAD)
IN_DOCUMENTS = joined([*INSTEAD, *INSTEAD_IN_DOCUMENTS])


def uses(text: str, *, is_document: bool) -> Iterator[tuple[int, str, str]]:
    """Yield the words to replace: line, word, and what to say."""
    in_block = False
    for number, line in enumerate(text.splitlines(), 1):
        if BLOCK.match(line):
            in_block = not in_block
        pattern = IN_DOCUMENTS if is_document and not in_block else EVERYWHERE
        for match in pattern.finditer(line):
            better = next(
                better
                for word, better in {**INSTEAD, **INSTEAD_IN_DOCUMENTS}.items()
                if re.compile(word, re.IGNORECASE).match(line, match.start())
            )
            yield number, match.group(), better


def main() -> int:
    """Print each use of such a word; return whether there is one."""
    root = SELF.parent.parent
    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, stdout=subprocess.PIPE, text=True, check=True
    )
    found = 0
    for name in filter(CHECKED.search, listed.stdout.splitlines()):
        path = root / name
        if path == SELF or name in ALLOWED or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8")
        for number, word, better in uses(text, is_document=path.suffix == ".md"):
            found += 1
            print(f'{name}:{number}: "{word}": say {better}')
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
