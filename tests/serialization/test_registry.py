"""The registry of serializers, and the finding of known ones."""

import logging
from dataclasses import dataclass

import pytest
from pydantic import BaseModel

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.json_serializers import (
    DataclassJsonMessageSerializer,
    PydanticJsonMessageSerializer,
)
from ferrogen.serialization.kinds import has_nested_base_model
from ferrogen.serialization.registry import (
    SerializationRegistry,
    try_get_known_serializers_for_type,
)
from ferrogen.serialization.serializer import JSON_DATA_CONTENT_TYPE, UnknownPayload


@dataclass
class Note:
    text: str


class Model(BaseModel):
    text: str


@pytest.fixture
def registry() -> SerializationRegistry:
    registry = SerializationRegistry()
    registry.add_serializer(try_get_known_serializers_for_type(Note))
    return registry


def test_a_registered_message_comes_back(registry: SerializationRegistry) -> None:
    name = registry.type_name(Note("hi"))
    payload = registry.serialize(
        Note("hi"), type_name=name, data_content_type=JSON_DATA_CONTENT_TYPE
    )
    assert registry.is_registered(name, JSON_DATA_CONTENT_TYPE)
    assert registry.deserialize(
        payload, type_name=name, data_content_type=JSON_DATA_CONTENT_TYPE
    ) == Note("hi")


def test_unknown_bytes_are_kept_as_they_came(registry: SerializationRegistry) -> None:
    assert registry.deserialize(
        b"x", type_name="Other", data_content_type="text/plain"
    ) == UnknownPayload("Other", "text/plain", b"x")


def test_writing_an_unknown_type_is_a_value_error_in_upstreams_words(
    registry: SerializationRegistry,
) -> None:
    with pytest.raises(ValueError, match="Unknown type") as caught:
        registry.serialize(Model(text=""), type_name="Model", data_content_type="application/json")
    assert str(caught.value) == "Unknown type Model with content type application/json"
    assert isinstance(caught.value, SerializationError)


def test_another_class_of_the_same_name_takes_the_place_with_a_warning(
    registry: SerializationRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    def elsewhere() -> type:
        @dataclass
        class Note:
            number: int

        return Note

    other = elsewhere()
    with caplog.at_level(logging.WARNING, logger="autogen_core"):
        registry.add_serializer(DataclassJsonMessageSerializer(other))
    assert registry.deserialize(
        b'{"number":1}', type_name="Note", data_content_type=JSON_DATA_CONTENT_TYPE
    ) == other(1)
    [record] = caplog.records
    assert 'named "Note"' in record.getMessage()
    assert f"{Note.__module__}.Note" in record.getMessage()


def test_registering_a_class_again_or_defining_it_anew_is_silent(
    registry: SerializationRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    def definition() -> type:
        @dataclass
        class Cell:
            n: int

        return Cell

    with caplog.at_level(logging.DEBUG, logger="autogen_core"):
        registry.add_serializer(try_get_known_serializers_for_type(Note))
        registry.add_serializer(DataclassJsonMessageSerializer(definition()))
        registry.add_serializer(DataclassJsonMessageSerializer(definition()))
    assert caplog.records == []


def test_a_foreign_serializer_of_the_same_class_takes_the_place(
    registry: SerializationRegistry,
) -> None:
    class Shouting(DataclassJsonMessageSerializer[Note]):
        def serialize(self, message: Note) -> bytes:
            return b'{"text":"HEY"}'

    registry.add_serializer([Shouting(Note)])
    assert (
        registry.serialize(Note("hey"), type_name="Note", data_content_type=JSON_DATA_CONTENT_TYPE)
        == b'{"text":"HEY"}'
    )


@pytest.mark.parametrize(
    ("cls", "serializer"),
    [(Note, DataclassJsonMessageSerializer), (Model, PydanticJsonMessageSerializer)],
)
def test_known_kinds_have_their_serializer(cls: type, serializer: type) -> None:
    [found] = try_get_known_serializers_for_type(cls)
    assert type(found) is serializer


def test_other_classes_have_none() -> None:
    assert try_get_known_serializers_for_type(int) == []


def test_nested_models_are_found_at_any_depth() -> None:
    @dataclass
    class Deep:
        models: dict[str, list[Model | None]]

    assert has_nested_base_model(Deep)
    assert not has_nested_base_model(Note)
