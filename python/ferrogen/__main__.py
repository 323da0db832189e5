"""``python -m ferrogen``: the same as the ``ferrogen`` command."""

from __future__ import annotations

import sys

from ferrogen.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
