"""The output of a call: as an asynchronous iterator, and as decoded and limited text."""

import asyncio
import codecs
from collections import deque
from collections.abc import Callable, Iterable
from io import StringIO

from ferrogen.code_executor.sandbox.artifacts import (
    Artifact,
    ArtifactRules,
    RefusedArtifact,
    media_type,
)
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


OnOutput = Callable[[OutputPart], object]


class Transcript:
    """Collects stdout and stderr until they exceed their limit, and pictures.

    Args:
        most_bytes: What is kept of both streams together.
        on_output: Called with each part, if it is not None.
        rules: The limits of pictures: those of artifacts.
    """

    def __init__(self, most_bytes: int, on_output: OnOutput | None, rules: ArtifactRules) -> None:
        self.displayed: list[Artifact] = []
        self.refused: list[RefusedArtifact] = []
        self._left, self._pictures_left = most_bytes, rules.most_bytes
        self._most_pictures = rules.most_files
        self._on_output = on_output
        self._everything = StringIO()
        self._texts: dict[Stream, StringIO] = {"stdout": StringIO(), "stderr": StringIO()}
        self._at_line_start = True
        self._decoders: dict[Stream, codecs.IncrementalDecoder] = {
            stream: codecs.getincrementaldecoder("utf-8")("replace") for stream in self._texts
        }

    def add(self, stream: Stream, data: bytes) -> bool:
        """Add output; return whether there was room for it."""
        kept = data[: self._left]
        self._left -= len(kept)
        self._append(stream, self._decoders[stream].decode(kept))
        return len(kept) == len(data)

    def display(self, path: str, picture: bytes) -> None:
        """Add a picture, or refuse it if there are too many or they are too large."""
        if len(self.displayed) >= self._most_pictures:
            reason = f"there are more than {self._most_pictures} pictures"
        elif len(picture) > self._pictures_left:
            reason = f"its {len(picture)} bytes are more than the {self._pictures_left} left"
        else:
            self._pictures_left -= len(picture)
            self.displayed.append(Artifact(path, media_type(path, picture), picture))
            return
        self.refuse(path, reason)

    def refuse(self, path: str, reason: str) -> None:
        """Note that a picture was refused."""
        if len(self.refused) < self._most_pictures:
            self.refused.append(RefusedArtifact(path, reason))

    def note(self, line: str) -> None:
        """Add a line about the run to the output, and to neither stream."""
        self._end_of_streams()
        self._everything.write(f"{'' if self._at_line_start else chr(10)}[{line}]\n")
        self._at_line_start = True

    def texts(self) -> tuple[str, str, str]:
        """Return the whole output, that on stdout, and that on stderr."""
        self._end_of_streams()
        stdout, stderr = self._texts["stdout"], self._texts["stderr"]
        return self._everything.getvalue(), stdout.getvalue(), stderr.getvalue()

    def _end_of_streams(self) -> None:
        for stream, decoder in self._decoders.items():
            self._append(stream, decoder.decode(b"", final=True))

    def _append(self, stream: Stream, text: str) -> None:
        if text:
            self._everything.write(text)
            self._texts[stream].write(text)
            self._at_line_start = text.endswith("\n")
            if self._on_output is not None:
                self._on_output(OutputPart(stream, text))
