"""Protobuf messages as bytes."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.protobuf import ProtobufMessageSerializer
from ferrogen.serialization.serializer import type_name

wrappers = pytest.importorskip("google.protobuf.wrappers_pb2")
any_pb2 = pytest.importorskip("google.protobuf.any_pb2")
message_module = pytest.importorskip("google.protobuf.message")


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


def test_damaged_bytes_are_refused_with_the_type_and_the_part_named() -> None:
    serializer = ProtobufMessageSerializer(wrappers.StringValue)
    with pytest.raises(
        SerializationError, match=r'"google\.protobuf\.StringValue": the envelope of 2 bytes'
    ):
        serializer.deserialize(b"\xff\xff")
    envelope = any_pb2.Any(
        type_url="type.googleapis.com/google.protobuf.StringValue", value=b"\xff"
    )
    with pytest.raises(SerializationError, match="the message in the envelope of 1 bytes"):
        serializer.deserialize(envelope.SerializeToString())


@pytest.mark.parametrize("length", [0, 1, 100, 127, 128, 16_383, 16_384, 3_000_000])
def test_bytes_are_those_of_upstream(length: int) -> None:
    upstream = pytest.importorskip("autogen_core._serialization")
    message = wrappers.StringValue(value="e" * length)
    theirs = upstream.ProtobufMessageSerializer(wrappers.StringValue)
    ours = ProtobufMessageSerializer(wrappers.StringValue)
    assert ours.serialize(message) == theirs.serialize(message)
    assert ours.deserialize(theirs.serialize(message)) == message
    assert theirs.deserialize(ours.serialize(message)) == message


@given(st.text(), st.integers(0, 300), st.binary(max_size=3))
def test_any_prefix_and_any_change_is_read_as_protobuf_reads_it(
    text: str, cut: int, more: bytes
) -> None:
    serializer = ProtobufMessageSerializer(wrappers.StringValue)
    payload = serializer.serialize(wrappers.StringValue(value=text))
    payload = payload[: len(payload) - cut] + more
    try:
        expected: object = wrappers.StringValue()
        if not any_pb2.Any.FromString(payload).Unpack(expected):
            expected = SerializationError
    except message_module.DecodeError:
        expected = SerializationError
    try:
        found: object = serializer.deserialize(payload)
    except SerializationError:
        found = SerializationError
    assert found == expected


def test_envelopes_that_others_write_in_another_way_are_read() -> None:
    serializer = ProtobufMessageSerializer(wrappers.StringValue)
    message = wrappers.StringValue(value="hello")
    other_prefix = any_pb2.Any(value=message.SerializeToString())
    other_prefix.type_url = "example.org/types/google.protobuf.StringValue"
    assert serializer.deserialize(other_prefix.SerializeToString()) == message
    url = any_pb2.Any(type_url="type.googleapis.com/google.protobuf.StringValue")
    value = any_pb2.Any(value=message.SerializeToString())
    turned = value.SerializeToString() + url.SerializeToString()
    assert serializer.deserialize(turned) == message
    twice = url.SerializeToString() + b"\x12\x00" + value.SerializeToString()
    assert serializer.deserialize(twice) == message
    assert serializer.deserialize(bytearray(turned)) == message


def test_a_message_of_another_class_is_written_under_its_own_name() -> None:
    serializer = ProtobufMessageSerializer(wrappers.StringValue)
    message = wrappers.Int32Value(value=1)
    assert any_pb2.Any.FromString(serializer.serialize(message)).Is(message.DESCRIPTOR)


def test_a_missing_required_field_is_reported() -> None:
    # Only proto2 has required fields; this message of protobuf's own is one.
    descriptors = pytest.importorskip("google.protobuf.descriptor_pb2")
    part = descriptors.UninterpretedOption.NamePart
    with pytest.raises(SerializationError, match=r'cannot write ".*NamePart"'):
        ProtobufMessageSerializer(part).serialize(part())


def test_protobuf_is_not_loaded_for_other_messages() -> None:
    program = (
        "import sys, dataclasses\n"
        "from ferrogen.serialization.registry import try_get_known_serializers_for_type\n"
        "from ferrogen.serialization.registry import SerializationRegistry\n"
        "M = dataclasses.make_dataclass('M', [('n', int)])\n"
        "registry = SerializationRegistry()\n"
        "serializer = try_get_known_serializers_for_type(M)[0]\n"
        "registry.add_serializer(serializer)\n"
        "assert serializer.deserialize(serializer.serialize(M(1))) == M(1)\n"
        "from ferrogen.serialization import json_serializers, protobuf\n"
        "assert 'google.protobuf.message' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
