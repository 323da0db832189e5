"""What the suite takes samples of and a soak runs in full; and how many random examples each takes.

`make soak` sets `FERROGEN_EXAMPLES`: a test takes so many times the examples that it states, new
ones each time, but for `FERROGEN_EXAMPLES=1`, as CI sets it. The suite takes half of them.
"""

import os
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import settings

TIMES = int(os.environ.get("FERROGEN_EXAMPLES") or 0)
IN_SOAK = TIMES > 0


def number_of(test: Callable[..., Any]) -> int:
    """Return a number of a test, by which the suite chooses what it runs: the same in each run."""
    return zlib.crc32(test.__name__.encode())


def examples(many: int, **options: Any) -> settings:
    """Settings of a test that states `many` examples."""
    # How long one example takes depends on the machine, and must not make it fail.
    return settings(
        max_examples=many * TIMES if IN_SOAK else (many + 1) // 2,
        derandomize=TIMES <= 1,
        deadline=None,
        print_blob=True,
        **options,
    )
