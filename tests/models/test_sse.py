"""Events come out of a stream as they went in, however it is cut and its lines end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.exceptions import ModelResponseError
from ferrogen.models.providers import _sse
from ferrogen.models.providers._sse import EventParser, ServerEvent
from ferrogen.models.server_sent_events import EventData

LINES = st.binary(max_size=10).filter(lambda line: not {10, 13} & set(line))


def fed(*pieces: bytes) -> list[bytes]:
    events = EventData()
    return [data for piece in pieces for data in events.feed(piece)]


def parsed(*pieces: bytes) -> list[ServerEvent]:
    parser = EventParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.end()


@given(
    st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=4),
    st.sampled_from([b"\n", b"\r\n"]),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_any_cut_gives_the_same_events(
    events: list[list[bytes]], ending: bytes, places: list[int]
) -> None:
    stream = b"".join(
        b"".join(b"data: %s%s" % (line, ending) for line in lines) + ending for lines in events
    )
    cuts = sorted(min(place, len(stream)) for place in places)
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert fed(*pieces) == fed(stream) == [b"\n".join(lines) for lines in events]


@given(st.lists(st.binary(max_size=30), max_size=10))
def test_no_bytes_are_too_strange(pieces: list[bytes]) -> None:
    assert all(isinstance(data, bytes) for data in fed(*pieces))


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b": a comment\n\ndata: a\n\n", [b"a"]),
        (b"event: ping\nid: 7\nretry: 3\ndata: a\n\n", [b"a"]),
        (b"event: ping\n\n", []),
        (b"data: a\n", []),
        (b"data: a", []),
        (b"\n\n\n", []),
    ],
)
def test_what_is_no_data_is_passed_over(stream: bytes, events: list[bytes]) -> None:
    assert fed(stream) == events


@pytest.mark.parametrize("piece", [b"data: 123456789\n", b"123456789"], ids=["event", "line"])
def test_an_event_or_line_without_an_end_does_not_eat_all_memory(
    monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    monkeypatch.setattr(_sse, "LARGEST_EVENT", 100)
    events = EventParser()
    with pytest.raises(ModelResponseError, match="an event of more than 100 bytes"):
        for _ in range(20):
            events.feed(piece)


def test_many_events_may_come_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sse, "LARGEST_EVENT", 1000)
    assert fed(*[b"data: 123456789\n\n" * 50] * 10) == [b"123456789"] * 500


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a", [(b"a", "")]),
        (b"data: a\n", [(b"a", "")]),
        (b"data: a\r\n\r\ndata: b\r", [(b"a", ""), (b"b", "")]),
        (b"\xef\xbb\xbfdata: a\n\n", [(b"a", "")]),
        (b"event: error\ndata: no\n\ndata: a\n\n", [(b"no", "error"), (b"a", "")]),
        (b"event: ping\n\ndata: a\n\n", [(b"a", "")]),
        (b"event: error\n\n", [(b"", "error")]),
        (b'error: {"code": 500}\n\n', [(b'{"code": 500}', "error")]),
        (b'data: a\n\n{"error": 1}\n', [(b"a", ""), (b'{"error": 1}', "")]),
        (b'data: a\n{"error": 1}\n', [(b"a", ""), (b'{"error": 1}', "")]),
        (b'{"a": 1}\n{"a": 2}', [(b'{"a": 1}', ""), (b'{"a": 2}', "")]),
        (b'{\n "a": 1\n}\n', [(b'{\n "a": 1\n}', "")]),
        (b": comment", []),
    ],
)
def test_what_services_write_beyond_the_standard_is_read(
    stream: bytes, events: list[tuple[bytes, str]]
) -> None:
    assert parsed(stream) == events
    assert parsed(*(stream[at : at + 1] for at in range(len(stream)))) == events
