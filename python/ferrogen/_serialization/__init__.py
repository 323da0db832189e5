"""Messages as bytes and back: serializers for the known kinds of messages, and their registry."""
