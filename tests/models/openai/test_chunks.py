"""The former path of the reader of chunks."""

import pytest

from ferrogen.exceptions import ModelResponseError
from ferrogen.models.openai.chunks import read_chunk


def test_a_chunk_is_read() -> None:
    assert read_chunk(b'{"choices": []}') == {"choices": []}


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 10_000])
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(ModelResponseError, match="not a chunk of a chat completion"):
        read_chunk(data)
