"""What all tests share: the choice of examples, task mode, fork servers, and a working Ctrl+C."""

import faulthandler
import functools
import gc
import marshal
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from .fork_server import ForkServer
from .imported_modules import FERROGEN, STRICT
from .random_examples import IN_SOAK, examples, number_of

settings.register_profile("suite", examples(30))
settings.load_profile("suite")

# What is made while the tests are collected stays: to traverse it again and again takes seconds.
gc.disable()

# Servers of tests speak no TLS: a client need not read the certificates of all authorities first.
os.environ.pop("SSL_CERT_FILE", None)
os.environ["SSL_CERT_DIR"] = str(Path(__file__).parent)

# Tests that want source text to be run say so.
os.environ.pop("FERROGEN_ALLOW_SOURCE_TEXT", None)

# What a shell starts in the background ignores Ctrl+C, and would hand that on to the programs
# that it starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

HERE = Path(__file__).parent

# Tests of these folders run a second time in task mode, in which each handler runs in an asyncio
# task: every other one, and all in a soak. Those of tests/semantics choose the mode by themselves.
IN_BOTH_MODES = {"agents", "compat", "differences", "runtime"}

# Most of the time of these tests is that of sandboxes and of limits.
WAITING = {"code_executor"}


@functools.cache
def folder_of(path: Path) -> str:
    """Return the folder that a test file is in, as one of those beside this file."""
    return path.relative_to(HERE).parts[0]


# In seconds. pytest-timeout interrupts a test once: a fixture that then waits would block all.
TEARDOWN_TIMEOUT = 180
WATCH = {"ends": 0.0}


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(settings: Any) -> None:
    """End a process whose test does not end: pytest-xdist reports it and starts another worker.

    The watch of faulthandler starts a thread, so that many tests have one in common.
    """
    now = time.monotonic()
    latest = now + settings.timeout + TEARDOWN_TIMEOUT
    if latest > WATCH["ends"]:
        WATCH["ends"] = latest + 60
        seconds = WATCH["ends"] - now
        faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__)


def without_address(value: object) -> str:
    """Return `str(value)`, the same in each process."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(value))


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests of some folders in task mode too: their names have `tasks` in brackets."""
    for mark in metafunc.definition.iter_markers("parametrize"):
        if mark.kwargs.get("ids") is str:  # all workers must have the same names
            mark.kwargs["ids"] = without_address
    is_chosen = IN_SOAK or number_of(metafunc.function) % 2
    if is_chosen and folder_of(metafunc.definition.path) in IN_BOTH_MODES:
        default = pytest.param(False, id=pytest.HIDDEN_PARAM)
        tasks = pytest.param(True, id="tasks", marks=pytest.mark.soak)
        metafunc.parametrize("_task_mode", [default, tasks], indirect=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that wait most first: other workers use the processors meanwhile."""
    items.sort(key=lambda item: folder_of(item.path) not in WAITING)


def pytest_collection_finish() -> None:
    """Collect garbage again, when the tests run: not as often as Python does by default."""
    gc.set_threshold(20_000, 20, 20)
    gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Iterator[Any]:
    """Send reports of workers as bytes: fast, and strings may have lone surrogates."""
    data = yield
    return {"as_bytes": marshal.dumps(data)}


@pytest.hookimpl(wrapper=True)
def pytest_report_from_serializable(data: dict[str, Any]) -> Iterator[Any]:
    """Read what `pytest_report_to_serializable` wrote."""
    data.update(marshal.loads(data.pop("as_bytes")))
    return (yield)


@pytest.fixture(autouse=True)
def _task_mode(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whether the runtimes that the test makes are in task mode."""
    if not getattr(request, "param", False):
        yield
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FERROGEN_PLAIN_TASKS", "1")
        yield


@pytest.fixture(scope="session")
def fork_server(testrun_uid: str) -> Iterator[Callable[..., ForkServer]]:
    """Give a function that starts a fork server, each kind once; workers share their processes."""
    servers: dict[tuple[Any, ...], ForkServer] = {}

    def start(*modules: str, **options: Any) -> ForkServer:
        kind = (*modules, *sorted(options.items()))
        if kind not in servers:
            servers[kind] = ForkServer(*modules, **options, run_id=testrun_uid)
        return servers[kind]

    yield start
    for server in servers.values():
        server.leave()  # all of them, before one is waited for: another worker does the same
    for server in servers.values():
        server.close()


@pytest.fixture(scope="session")
def forking_python(
    fork_server: Callable[..., ForkServer], tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A `python` whose programs are forks of an interpreter that has imported Ferrogen."""
    server = fork_server(*FERROGEN, flags=STRICT)
    return str(server.executable(tmp_path_factory.mktemp("python")))


@pytest.fixture(autouse=True, scope="module")
def _frozen_heap() -> None:
    """Exempt what is there before the tests of a file from garbage collection.

    Many tests collect garbage, and would traverse all of it each time.
    """
    gc.collect()
    gc.freeze()
