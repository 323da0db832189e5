"""The output of the runs of a call, decoded and limited."""

import codecs
from collections.abc import Callable

from ferrogen.code_executor.sandbox.artifacts import Artifact
from ferrogen.code_executor.sandbox.process import Stream
from ferrogen.code_executor.sandbox.result import OutputPart

OnOutput = Callable[[OutputPart], object]


class Transcript:
    """Collects stdout and stderr, and calls back when they exceed their limit.

    Args:
        most_bytes: The most that is kept of both together.
        on_output: Called with each part, if it is not None.
    """

    def __init__(self, most_bytes: int, on_output: OnOutput | None) -> None:
        self.displayed: list[Artifact] = []
        self._left = most_bytes
        self._on_output = on_output
        self._parts: list[OutputPart] = []
        self._decoders = {
            stream: codecs.getincrementaldecoder("utf-8")("replace")
            for stream in ("stdout", "stderr")
        }

    def add(self, stream: Stream, data: bytes) -> bool:
        """Add output; return whether there was room for it."""
        kept = data[: self._left]
        self._left -= len(kept)
        self._append(stream, self._decoders[stream].decode(kept))
        return len(kept) == len(data)

    def note(self, line: str) -> None:
        """Add a line about the run to the output, and to neither stream."""
        self._end_of_streams()
        before = "" if not self._parts or self._parts[-1].text.endswith("\n") else "\n"
        self._notes = f"{before}[{line}]\n"

    def texts(self) -> tuple[str, str, str]:
        """Return the whole output, that on stdout, and that on stderr."""
        self._end_of_streams()
        return (
            "".join(part.text for part in self._parts) + self._notes,
            "".join(part.text for part in self._parts if part.stream == "stdout"),
            "".join(part.text for part in self._parts if part.stream == "stderr"),
        )

    _notes = ""

    def _end_of_streams(self) -> None:
        self._append("stdout", self._decoders["stdout"].decode(b"", final=True))
        self._append("stderr", self._decoders["stderr"].decode(b"", final=True))

    def _append(self, stream: Stream, text: str) -> None:
        if text:
            part = OutputPart(stream, text)
            self._parts.append(part)
            if self._on_output is not None:
                self._on_output(part)
