"""Calls are put together from pieces, wherever a service cuts them."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ferrogen import FunctionCall
from ferrogen.models.providers._tool_calls import WireNames, plain_name
from ferrogen.models.providers.chat_completions.tool_calls import ToolCalls

NAMES = st.text("abc_-0", min_size=1, max_size=8)


@st.composite
def calls_in_pieces(draw: st.DrawFn) -> tuple[list[FunctionCall], list[dict[str, Any]]]:
    """Calls, and pieces of them, those of several calls in any turns."""
    calls: list[FunctionCall] = []
    queues: list[list[dict[str, Any]]] = []
    for index in range(draw(st.integers(1, 4))):
        arguments = draw(st.text(max_size=12).filter(str.strip))
        call = FunctionCall(id=f"call-{index}", name=draw(NAMES), arguments=arguments)
        cuts = sorted(draw(st.lists(st.integers(0, len(arguments)), max_size=4)))
        parts = [arguments[a:b] for a, b in zip([0, *cuts], [*cuts, len(arguments)], strict=True)]
        first = {"name": call.name, "arguments": parts[0]}
        queue: list[dict[str, Any]] = [{"index": index, "id": call.id, "function": first}]
        queue += [{"index": index, "function": {"arguments": part}} for part in parts[1:]]
        calls.append(call)
        queues.append(queue)
    pieces = [queue.pop(0) for queue in queues]
    while any(queues):
        pieces.append(draw(st.sampled_from([queue for queue in queues if queue])).pop(0))
    return calls, pieces


@given(calls_in_pieces())
def test_calls_come_out_as_they_were_cut_up(
    case: tuple[list[FunctionCall], list[dict[str, Any]]],
) -> None:
    calls, pieces = case
    collected = ToolCalls(WireNames())
    for piece in pieces:
        collected.add([piece], whole=False)
    assert collected.finished() == calls


@given(st.text())
def test_a_plain_name_is_one_that_services_take(name: str) -> None:
    plain = plain_name(name)
    assert len(plain) <= 64
    assert all(sign.isascii() and (sign.isalnum() or sign in "_-") for sign in plain)
    assert plain_name(plain) == plain
