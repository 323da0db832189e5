"""A message, and handlers that fail with its text."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, NoReturn


@dataclass
class Note:
    text: str


async def raises(agent: Any, message: Note, ctx: Any) -> NoReturn:
    raise ValueError(message.text)


async def waits_and_raises(agent: Any, message: Note, ctx: Any) -> NoReturn:
    await asyncio.sleep(0)
    raise ValueError(message.text)


async def is_cancelled(agent: Any, message: Note, ctx: Any) -> NoReturn:
    raise asyncio.CancelledError(message.text)
