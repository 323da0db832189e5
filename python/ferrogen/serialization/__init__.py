"""Serialization beyond AutoGen's: MessagePack, schemas and versions of message types."""

from .registry import SerializationRegistry
from .schema import message_schema
from .serializer import MSGPACK_DATA_CONTENT_TYPE
from .versions import message_version, version_of

__all__ = [
    "MSGPACK_DATA_CONTENT_TYPE",
    "SerializationRegistry",
    "message_schema",
    "message_version",
    "version_of",
]
