"""Importing `ferrogen.memory` imports what upstream has, and the rest when it is used."""

import subprocess
import sys

import ferrogen.memory
from ferrogen.memory.lazy_imports import LAZY_IMPORTS


def test_what_upstream_lacks_is_imported_when_it_is_used():
    program = (
        "import sys, ferrogen.memory as memory\n"
        "lazy = ('sqlite3', 'numpy', 'ferrogen.memory.sqlite', 'ferrogen.memory.extraction')\n"
        "print([name for name in lazy if name in sys.modules])\n"
        "print(memory.SqliteMemory is memory.SqliteMemory, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\nTrue False\n"


def test_every_lazy_import_is_public():
    assert set(LAZY_IMPORTS) <= set(ferrogen.memory.__all__)
    assert set(ferrogen.memory.__all__) <= set(dir(ferrogen.memory))
    assert all(hasattr(ferrogen.memory, name) for name in ferrogen.memory.__all__)
    assert not hasattr(ferrogen.memory, "NoSuchName")
