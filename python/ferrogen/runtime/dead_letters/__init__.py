"""Dead letters: messages that were not handled, their store, topic and replay."""
