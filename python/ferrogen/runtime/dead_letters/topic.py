"""Publication of dead letters, for agents that subscribe to them."""

from __future__ import annotations

from ferrogen._core import Engine, Routes
from ferrogen.exceptions import RuntimeStoppedError
from ferrogen.messaging.topic import TopicId
from ferrogen.runtime.dead_letters.letter import DeadLetter, DeadLetterCause

__all__ = ["DEAD_LETTER_TOPIC", "DeadLetterPublisher"]

DEAD_LETTER_TOPIC = TopicId("ferrogen.dead_letters", "default")
"""The topic that dead letters are published to, if the runtime has `publish_dead_letters=True`."""


class DeadLetterPublisher:
    """Publishes dead letters to `DEAD_LETTER_TOPIC`.

    These are only stored: letters with a dead letter as their message, letters whose sender
    subscribes to dead letters (both would lead to further ones, without end), and letters of a
    runtime that stops, has halted or is closed.

    Args:
        routes: The subscriptions of the runtime.
        engine: Publishes.
    """

    def __init__(self, routes: Routes, engine: Engine) -> None:
        self._routes = routes
        self._engine = engine

    def __call__(self, letter: DeadLetter) -> None:
        """Publish a letter, if it is one that is published and there is a subscriber."""
        if isinstance(letter.message, DeadLetter):
            return
        if letter.cause is DeadLetterCause.RUNTIME_STOPPED:
            return
        recipients = self._routes.recipients(DEAD_LETTER_TOPIC)
        if not recipients or letter.sender in recipients:
            return
        # Its first step accepts the message, so that the runtime is not idle before it is handled.
        publishing = self._engine.publish_message(letter, DEAD_LETTER_TOPIC)
        try:
            publishing.send(None)
        except (StopIteration, RuntimeStoppedError):
            return
        publishing.close()
        raise RuntimeError("publishing a dead letter has suspended")
