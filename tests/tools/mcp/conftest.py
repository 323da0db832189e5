"""Servers for the tests, and whether their processes are there."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ferrogen.tools.mcp import StdioServerParams

EVERYTHING = Path(__file__).with_name("everything_server.py")
PLAIN = Path(__file__).with_name("plain_server.py")
ENVIRONMENT = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "NO_COLOR": "1"}


@pytest.fixture
def plain() -> Callable[..., StdioServerParams]:
    """How the server that starts fast is started."""

    def params(*arguments: str) -> StdioServerParams:
        given = ["-I", "-S", str(PLAIN), *arguments]
        return StdioServerParams(command=sys.executable, args=given, read_timeout_seconds=30)

    return params


@pytest.fixture
def everything(forking_python: str) -> Callable[..., StdioServerParams]:
    """How the server that does everything is started."""

    def params(*arguments: str, **options: Any) -> StdioServerParams:
        given = {"read_timeout_seconds": 30, **options}
        return StdioServerParams(
            command=forking_python, args=[str(EVERYTHING), *arguments], env=ENVIRONMENT, **given
        )

    return params


def is_alive(process: int | str) -> bool:
    """Whether a process is there, and not a zombie."""
    try:
        status = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in {"Z", "X"}


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so, which other processes bring about."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.02)
