"""The example programs that need neither a model nor other packages."""

import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).parent.parent / "examples"


def test_the_order_pipeline_ships_every_order():
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "order_pipeline.py")],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "49 of 50 orders were shipped",
        "order 13 failed 3 times: invalid literal for int() with base 10: 'two'",
        "50 of 50 orders were shipped, 0 failed",
    ]
