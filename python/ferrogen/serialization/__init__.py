"""Serialization beyond AutoGen's: MessagePack, schemas and versions of message types."""

from ferrogen._serialization.registry import SerializationRegistry
from ferrogen._serialization.schema import message_schema
from ferrogen._serialization.serializer import MSGPACK_DATA_CONTENT_TYPE
from ferrogen._serialization.versions import message_version, version_of

__all__ = [
    "MSGPACK_DATA_CONTENT_TYPE",
    "SerializationRegistry",
    "message_schema",
    "message_version",
    "version_of",
]
