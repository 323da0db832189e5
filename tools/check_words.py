"""Refuses words that the field has better terms for; run by `make lint`.

A word that is meant literally can be allowed below, with the reason.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

INSTEAD = {
    r"mend(ed|s|ing)?": "fix, repair",
    r"for ever": "forever",
    r"over(see|sees|seer|seen)": "observe, observer",
    r"sees to": "does, or a verb that says what is done",
    r"whoever": "caller, sender, user",
    r"somebody": "caller, sender, user",
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
}
"""A word, and what to say."""

ALLOWED = {"tests/models/test_tokens.py"}
"""Files whose texts are data: here, texts whose tokens were counted."""

SELF = Path(__file__).resolve()
CHECKED = re.compile(r"\.(py|pyi|rs|md)$")


def main() -> int:
    """Print each use of such a word; return whether there is one."""
    root = SELF.parent.parent
    listed = subprocess.run(
        ["git", "ls-files"], cwd=root, stdout=subprocess.PIPE, text=True, check=True
    )
    pattern = re.compile(rf"\b({'|'.join(f'({one})' for one in INSTEAD)})\b", re.IGNORECASE)
    found = 0
    for name in filter(CHECKED.search, listed.stdout.splitlines()):
        path = root / name
        if path == SELF or name in ALLOWED or not path.is_file():
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for match in pattern.finditer(line):
                found += 1
                word = match.group()
                better = next(
                    text for one, text in INSTEAD.items() if re.fullmatch(one, word, re.IGNORECASE)
                )
                print(f'{name}:{number}: "{word}": say {better}')
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
