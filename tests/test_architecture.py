"""ARCHITECTURE.md states each invariant once and names tests that hold it, which exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
INVARIANTS = ("L1", "L2", "R1", "B1", "B2", "O1", "A1", "C1", "M1", "M2")
NAMED_TEST = re.compile(r"`((?:rust|tests)/[\w/]+\.(?:rs|py))::(\w+)`")


def statements() -> dict[str, str]:
    """Return what is said of each invariant, by its name."""
    section = TEXT.split("## Invariants", 1)[1].split("\n## ", 1)[0]
    parts = re.split(r"^\*\*([A-Z]\d)\*\* ", section, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def test_every_invariant_is_stated():
    assert tuple(statements()) == INVARIANTS


def test_every_invariant_is_held_by_tests():
    assert [name for name, said in statements().items() if not NAMED_TEST.search(said)] == []


def test_the_named_tests_exist():
    named = sorted(set(NAMED_TEST.findall(TEXT)))
    texts = {path: (ROOT / path).read_text(encoding="utf-8") for path, _ in named}
    assert named
    assert [
        (path, name)
        for path, name in named
        if not re.search(rf"\b(?:fn|def) {name}\(", texts[path])
    ] == []


def test_invariants_that_code_cites_are_stated():
    cited = set()
    for folder in ("rust/core/src", "rust/py/src", "python/ferrogen"):
        for source in (ROOT / folder).rglob("*"):
            if source.suffix in {".rs", ".py", ".pyi"}:
                text = source.read_text(encoding="utf-8")
                cited |= set(re.findall(r"\(([A-Z]\d)\)|\"([A-Z]\d):", text))
    assert {name for pair in cited for name in pair if name} <= set(INVARIANTS)
