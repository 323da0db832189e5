"""Marker for functions that return a coroutine without being `async def`."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["is_coroutine_function"]

F = TypeVar("F", bound=Callable[..., Coroutine[Any, Any, Any]])


def is_coroutine_function(function: F) -> F:
    """Mark a function as a coroutine function for `iscoroutinefunction`.

    `unittest.mock` checks it, to create an `AsyncMock`. Before 3.12 only `asyncio` has such a mark,
    not `inspect`.
    """
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(function)
    function._is_coroutine = asyncio.coroutines._is_coroutine  # type: ignore[attr-defined]
    return function
