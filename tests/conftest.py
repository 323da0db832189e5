"""What all tests share: the choice of examples, what is not collected, and a working Ctrl+C."""

import gc
import os
import signal

from hypothesis import settings

# Shared machines are slow at times: how long one example takes says nothing.
settings.register_profile("local", deadline=None)
# In CI the same examples each time: a red build is about the change it is for.
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Tests that want source text to be run say so.
os.environ.pop("FERROGEN_ALLOW_SOURCE_TEXT", None)

# What a shell starts in the background ignores Ctrl+C, and would hand that on to the programs
# that it starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Takes what is there before the first test out of the sight of the collector.

    Many tests collect garbage, and would look through every imported module each time.
    """
    gc.collect()
    gc.freeze()
