"""The output of a call as an asynchronous iterator."""

import asyncio
from collections import deque
from collections.abc import Iterable

from ferrogen.code_executor.sandbox.process import Stream
from ferrogen.code_executor.sandbox.result import OutputPart

_MOST_PARTS = 256


class OutputStream:
    """Parts of the output that the reader has not taken yet.

    Their texts together are no longer than the limit of output. A part is joined to the last one of
    the same stream; if there are many parts, even when the other stream has written meanwhile.
    """

    def __init__(self) -> None:
        self._parts: deque[tuple[Stream, list[str]]] = deque()
        self._arrived = asyncio.Event()
        self._ended = False

    def add(self, part: OutputPart) -> None:
        """Add a part."""
        for stream, texts in self._last_parts():
            if stream == part.stream:
                texts.append(part.text)
                return
        self._parts.append((part.stream, [part.text]))
        self._arrived.set()

    def end(self) -> None:
        """Note that no part follows."""
        self._ended = True
        self._arrived.set()

    async def take(self) -> OutputPart | None:
        """Return the next part, or None at the end."""
        while not self._parts:
            if self._ended:
                return None
            self._arrived.clear()
            await self._arrived.wait()
        stream, texts = self._parts.popleft()
        return OutputPart(stream, "".join(texts))

    def _last_parts(self) -> Iterable[tuple[Stream, list[str]]]:
        count = 1 if len(self._parts) < _MOST_PARTS else 2
        return [self._parts[-1 - place] for place in range(min(count, len(self._parts)))]
