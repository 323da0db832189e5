"""Pydantic models as JSON."""

import pytest
from pydantic import BaseModel, Field

from ferrogen.exceptions import SerializationError
from ferrogen.serialization.json_serializers import PydanticJsonMessageSerializer


class Inner(BaseModel):
    n: int


class Outer(BaseModel):
    inner: list[Inner]
    name: str = Field(default="é", alias="Name")


def test_a_model_comes_back() -> None:
    serializer = PydanticJsonMessageSerializer(Inner)
    assert serializer.deserialize(serializer.serialize(Inner(n=3))) == Inner(n=3)


def test_what_does_not_fit_is_refused_with_type_and_place() -> None:
    with pytest.raises(SerializationError, match=r'"Outer".*\$\.inner\.1\.n'):
        PydanticJsonMessageSerializer(Outer).deserialize(b'{"inner":[{"n":1},{"n":"x"}]}')


def test_broken_json_is_refused_with_its_place() -> None:
    with pytest.raises(SerializationError, match="line 1 column"):
        PydanticJsonMessageSerializer(Inner).deserialize(b'{"n":')


def test_a_models_own_way_of_dumping_is_used() -> None:
    class Loud(Inner):
        def model_dump_json(self, **_: object) -> str:
            return '{"n":99}'

    assert PydanticJsonMessageSerializer(Loud).serialize(Loud(n=1)) == b'{"n":99}'


def test_a_model_without_json_form_is_refused() -> None:
    class Raw(BaseModel):
        data: bytes

    with pytest.raises(SerializationError, match='cannot write "Raw"'):
        PydanticJsonMessageSerializer(Raw).serialize(Raw(data=b"\xff"))


def test_models_are_written_as_upstream_writes_them() -> None:
    upstream = pytest.importorskip("autogen_core._serialization")
    message = Outer(inner=[Inner(n=1)], Name="é")
    theirs = upstream.PydanticJsonMessageSerializer(Outer)
    assert PydanticJsonMessageSerializer(Outer).serialize(message) == theirs.serialize(message)
