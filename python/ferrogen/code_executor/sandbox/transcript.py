"""The output of the runs of a call, decoded and limited."""

import codecs
from collections.abc import Callable
from io import StringIO

from ferrogen.code_executor.sandbox.artifacts import (
    Artifact,
    ArtifactRules,
    RefusedArtifact,
    media_type,
)
from ferrogen.code_executor.sandbox.process import Stream
from ferrogen.code_executor.sandbox.result import OutputPart

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
