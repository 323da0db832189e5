"""Functions that return a coroutine without being written `async def` say so here."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["is_coroutine_function"]

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])


def is_coroutine_function(function: F) -> F:
    """Let `iscoroutinefunction` take a function for what it amounts to.

    `unittest.mock` asks, to put an `AsyncMock` in its place. Before 3.12 only the function of that
    name in `asyncio` can be told, not the one in `inspect`.
    """
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function
