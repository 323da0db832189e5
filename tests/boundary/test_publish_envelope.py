"""The envelope of a published message: its token and id are shared, and all of it is freed."""

from __future__ import annotations

import gc
import weakref

import pytest

from ferrogen import AgentId, CancellationToken, TopicId
from ferrogen._core import PublishEnvelope

TOPIC = TopicId("news", "today")


class Box:
    """Something that can be in a cycle."""


def test_the_token_and_the_id_are_made_once_and_shared_by_all_contexts() -> None:
    envelope = PublishEnvelope("x", TOPIC, AgentId("a", "b"))
    contexts = [envelope.message_context() for _ in range(2)]
    token, message_id = contexts[0].cancellation_token, contexts[0].message_id
    assert contexts[1].cancellation_token is token is envelope.cancellation_token
    assert contexts[1].message_id == message_id == envelope.message_id
    assert contexts[0].sender == AgentId("a", "b")
    assert contexts[0].topic_id is TOPIC
    assert contexts[0].is_rpc is False


def test_what_is_given_is_what_is_read() -> None:
    token = CancellationToken()
    envelope = PublishEnvelope("x", TOPIC, None, cancellation_token=token, message_id="m")
    assert envelope.cancellation_token is token
    assert (envelope.message_id, envelope.sender, envelope.observer) == ("m", None, None)


def test_the_message_can_be_replaced_and_nothing_else() -> None:
    envelope = PublishEnvelope("x", TOPIC, None)
    envelope.message = "y"
    assert envelope.message == "y"
    for name in ("topic_id", "sender", "cancellation_token", "message_id", "observer"):
        with pytest.raises(AttributeError):
            setattr(envelope, name, TOPIC)


def test_an_envelope_in_a_cycle_is_collected() -> None:
    box = Box()
    box.envelope = PublishEnvelope(box, TOPIC, None)  # type: ignore[attr-defined]
    gone = weakref.ref(box)
    del box
    gc.collect()
    assert gone() is None
