"""What Anthropic's API says, as its events and bodies, for scripted servers to play."""

import json

from ..scripted_server import json_response, sse_body

USAGE = {"input_tokens": 12, "output_tokens": 1}


def start(**usage):
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "scripted",
        "content": [],
        "stop_reason": None,
        "usage": {**USAGE, **usage},
    }
    return {"type": "message_start", "message": message}


def opened(index, **block):
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index, kind, **piece):
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **piece}}


def closed(index):
    return {"type": "content_block_stop", "index": index}


def text(index, *pieces):
    deltas = [delta(index, "text_delta", text=piece) for piece in pieces]
    return [opened(index, type="text", text=""), *deltas, closed(index)]


def thinking(index, signature, *pieces):
    deltas = [delta(index, "thinking_delta", thinking=piece) for piece in pieces]
    return [
        opened(index, type="thinking", thinking="", signature=""),
        *deltas,
        delta(index, "signature_delta", signature=signature),
        closed(index),
    ]


def tool_use(index, name, call_id, *pieces):
    deltas = [delta(index, "input_json_delta", partial_json=piece) for piece in pieces]
    return [
        opened(index, type="tool_use", id=call_id, name=name, input={}),
        *deltas,
        closed(index),
    ]


def ended(stop_reason="end_turn", **usage):
    return [
        {
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason, "stop_sequence": None},
            "usage": {"output_tokens": 30, **usage},
        },
        {"type": "message_stop"},
    ]


PING = {"type": "ping"}


def frame(event):
    """Write an event as it stands in the stream."""
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def stream(*events):
    """Respond with a stream of events; lists among them are taken apart."""
    flat = []
    for event in events:
        flat += event if isinstance(event, list) else [event]
    return sse_body(*map(frame, flat))


def whole(*content, stop_reason="end_turn", **usage):
    """Respond with a message that is not streamed."""
    return json_response(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "scripted",
            "content": list(content),
            "stop_reason": stop_reason,
            "stop_sequence": None,
            "usage": {"input_tokens": 12, "output_tokens": 30, **usage},
        }
    )
