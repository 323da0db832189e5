"""Protobuf messages as bytes."""

import subprocess
import sys

import pytest

from ferrogen._serialization.protobuf import ProtobufMessageSerializer
from ferrogen._serialization.serializer import type_name
from ferrogen.exceptions import SerializationError

wrappers = pytest.importorskip("google.protobuf.wrappers_pb2")


def test_a_message_comes_back() -> None:
    serializer = ProtobufMessageSerializer(wrappers.StringValue)
    message = wrappers.StringValue(value="hello")
    assert serializer.deserialize(serializer.serialize(message)) == message


def test_the_type_name_is_the_descriptors_full_name() -> None:
    assert type_name(wrappers.StringValue) == "google.protobuf.StringValue"
    assert type_name(wrappers.StringValue()) == "google.protobuf.StringValue"


def test_another_message_type_is_refused_by_name() -> None:
    payload = ProtobufMessageSerializer(wrappers.Int32Value).serialize(wrappers.Int32Value(value=1))
    with pytest.raises(SerializationError, match=r"Failed to unpack.*google\.protobuf\.Int32Value"):
        ProtobufMessageSerializer(wrappers.StringValue).deserialize(payload)


def test_damaged_bytes_are_refused_with_the_type_named() -> None:
    with pytest.raises(SerializationError, match=r"google\.protobuf\.StringValue"):
        ProtobufMessageSerializer(wrappers.StringValue).deserialize(b"\xff\xff")


def test_bytes_are_those_of_upstream() -> None:
    upstream = pytest.importorskip("autogen_core._serialization")
    message = wrappers.StringValue(value="hello")
    theirs = upstream.ProtobufMessageSerializer(wrappers.StringValue).serialize(message)
    assert ProtobufMessageSerializer(wrappers.StringValue).serialize(message) == theirs


def test_protobuf_is_not_loaded_for_other_messages() -> None:
    program = (
        "import sys, dataclasses\n"
        "from ferrogen._serialization.known import try_get_known_serializers_for_type\n"
        "from ferrogen._serialization.registry import SerializationRegistry\n"
        "M = dataclasses.make_dataclass('M', [('n', int)])\n"
        "registry = SerializationRegistry()\n"
        "serializer = try_get_known_serializers_for_type(M)[0]\n"
        "registry.add_serializer(serializer)\n"
        "assert serializer.deserialize(serializer.serialize(M(1))) == M(1)\n"
        "from ferrogen._serialization import protobuf, pydantic_json\n"
        "assert 'google.protobuf.message' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
