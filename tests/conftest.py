"""What all tests share: the choice of examples, fork servers, and a working Ctrl+C."""

import gc
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import settings

from .fork_server import ForkServer

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


@pytest.fixture(scope="session")
def fork_server() -> Iterator[Callable[..., ForkServer]]:
    """Give a function that starts a fork server, each kind once."""
    servers: dict[tuple[Any, ...], ForkServer] = {}

    def start(*modules: str, **options: Any) -> ForkServer:
        kind = (*modules, *sorted(options.items()))
        if kind not in servers:
            servers[kind] = ForkServer(*modules, **options)
        return servers[kind]

    yield start
    for server in servers.values():
        server.close()


def pytest_collection_finish() -> None:
    """Takes what is there before the first test out of the sight of the collector.

    Many tests collect garbage, and would look through every imported module each time.
    """
    gc.collect()
    gc.freeze()
