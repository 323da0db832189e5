"""Spans around async generators, current while the generator runs and not while its consumer does.

A ``with`` block around a ``yield`` would leave its span to the consumer, as the current one, until
the consumer asks for the next part; spans of the consumer's own would hang under it.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import TypeVar

from opentelemetry.trace import Span, use_span

PartT = TypeVar("PartT")


async def traced_stream(
    opening: AbstractContextManager[Span], parts: AsyncGenerator[PartT, None]
) -> AsyncGenerator[PartT, None]:
    """Yield the items of a generator, its steps inside a span.

    Args:
        opening: Opens the span, for the whole stream; an error of the generator ends it.
        parts: The generator; closed in the end.
    """
    aside = copy_context()  # where the span is current without being so for the consumer
    span = aside.run(opening.__enter__)
    try:
        while True:
            # Errors are recorded on the span once, by `opening`.
            with use_span(span, record_exception=False, set_status_on_exception=False):
                try:
                    part = await anext(parts)
                except StopAsyncIteration:
                    break
            yield part
    except BaseException:
        await parts.aclose()
        aside.run(opening.__exit__, *sys.exc_info())
        raise
    aside.run(opening.__exit__, None, None, None)
