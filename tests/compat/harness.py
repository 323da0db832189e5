"""Runs one scenario on AutoGen's own package and on Ferrogen, and compares what it recorded.

A scenario is an async function that gets the package under test and a `Record`. It defines its
agents against that package, as a user would, and records what it sees.
"""

import asyncio
import difflib
import gc
import importlib
import logging
import warnings
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import autogen_core
import autogen_core.exceptions
import autogen_core.logging

import ferrogen
import ferrogen.exceptions
import ferrogen.logging
from ferrogen.exceptions import FerrogenError

UPSTREAM: ModuleType = autogen_core
OURS: ModuleType = ferrogen

Scenario = Callable[[Any, "Record"], Awaitable[None]]


@dataclass
class Record:
    """What one run of a scenario saw."""

    entries: list[Any] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    stray_errors: list[Any] = field(default_factory=list)

    def __call__(self, *facts: Any) -> None:
        """Note facts, in a form that does not depend on the package."""
        self.entries.append(plain(facts if len(facts) != 1 else facts[0]))

    def raised(self, what: str, error: BaseException, *, words: bool = True) -> None:
        """Note an exception: the class that upstream's users know it by, and its words."""
        self.entries.append((what, raised(error, words=words)))

    async def outcome(self, what: str, work: Awaitable[Any], *, words: bool = True) -> Any:
        """Await something and note what it returned or raised."""
        try:
            value = await work
        except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - it is noted
            self.raised(what, error, words=words)
            return None
        self(what, value)
        return value

    def call(self, what: str, function: Callable[[], Any]) -> None:
        """Call something and note what it returned or raised."""
        try:
            self(what, function())
        except Exception as error:  # noqa: BLE001 - it is noted
            self.raised(what, error)


def raised(error: BaseException, *, words: bool = True) -> str:
    """Describe an exception by the nearest class that upstream's users could catch."""
    known = next(
        cls
        for cls in type(error).__mro__
        if not issubclass(cls, FerrogenError) or hasattr(autogen_core.exceptions, cls.__name__)
    )
    return f"raised {known.__name__}: {error}" if words else f"raised {known.__name__}"


def plain(value: Any) -> Any:
    """Put a value in a form that compares equal between the packages."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, BaseException):
        return raised(value)
    names = [cls.__name__ for cls in type(value).__mro__]
    if "AgentId" in names or "TopicId" in names:
        return f"{type(value).__name__} {value}"
    if "AgentType" in names:
        return f"AgentType {value.type}"
    return value


def play(core: ModuleType, scenario: Scenario) -> Record:
    """Run a scenario on one package, in an event loop of its own, for minutes at most."""
    record = Record()

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: record.stray_errors.append(context.get("message"))
        )
        await asyncio.wait_for(scenario(core, record), 150)

    with muted_logs(), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        asyncio.run(run())
        gc.collect()
    record.warnings = [(w.category.__name__, str(w.message)) for w in caught]
    return record


# Warnings of upstream alone: coroutines that it drops, and what CPython 3.14 has deprecated.
UPSTREAM_WARNINGS = ("was never awaited", "use inspect.iscoroutinefunction() instead")


def same(scenario: Scenario, as_ours: Callable[[Any], Any] | None = None) -> Record:
    """Assert that a scenario sees the same on both packages; returns what it saw on ours.

    `as_ours` rewrites the entries of upstream, where a deliberate difference would show.
    """
    upstream, ours = play(UPSTREAM, scenario), play(OURS, scenario)
    if as_ours is not None:
        upstream.entries = [as_ours(entry) for entry in upstream.entries]
    assert ours.entries, "a scenario that records nothing proves nothing"
    if ours.entries != upstream.entries:
        lines = ([repr(entry) for entry in run.entries] for run in (upstream, ours))
        raise AssertionError("\n".join(["", *difflib.ndiff(*lines)]))
    assert [kind for kind, _ in ours.warnings] == [
        kind for kind, words in upstream.warnings if not words.endswith(UPSTREAM_WARNINGS)
    ]
    assert ours.stray_errors == []
    return ours


def both(scenario: Scenario) -> tuple[list[Any], list[Any]]:
    """Return what a scenario records on upstream and on ours."""
    return play(UPSTREAM, scenario).entries, play(OURS, scenario).entries


async def yield_to_loop(count: int = 20) -> None:
    """Let the event loop go around, so that everything that can happen has happened."""
    for _ in range(count):
        await asyncio.sleep(0)


async def error_of(work: Awaitable[Any]) -> BaseException | None:
    """Await something and return what it raised, if anything."""
    (outcome,) = await asyncio.gather(work, return_exceptions=True)
    return outcome if isinstance(outcome, BaseException) else None


async def finishes(work: Awaitable[Any]) -> bool:
    """Return whether an awaitable ends; if it hangs, it is abandoned.

    It hangs if it has not ended after many iterations of the event loop: it must not wait for
    timers, threads or processes.
    """
    task = asyncio.ensure_future(work)
    for _ in range(500):
        if task.done():
            task.result()
            return True
        await asyncio.sleep(0)
    task.cancel()
    return False


@contextmanager
def muted_logs() -> Iterator[None]:
    """Keep log records from pytest, which would keep what their tracebacks hold alive."""
    logger, nowhere = logging.getLogger(autogen_core.ROOT_LOGGER_NAME), logging.NullHandler()
    logger.addHandler(nowhere)
    logger.propagate = False
    try:
        yield
    finally:
        logger.propagate = True
        logger.removeHandler(nowhere)


def submodule(core: ModuleType, name: str) -> ModuleType:
    """Return a public submodule of the package under test."""
    return importlib.import_module(f"{core.__name__}.{name}")
