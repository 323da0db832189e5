"""The simulated clock of these tests."""

import asyncio


def now() -> float:
    """The time of the event loop, in seconds."""
    return asyncio.get_running_loop().time()
