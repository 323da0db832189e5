"""Which models are written natively, and that they are written as pydantic writes them."""

from __future__ import annotations

import datetime
import functools
import warnings
from collections.abc import Callable
from typing import Annotated, Any, Literal, Optional, Union

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    RootModel,
    computed_field,
    create_model,
    field_serializer,
    model_serializer,
    model_validator,
)

from ferrogen.serialization.json_serializers import PydanticJsonMessageSerializer
from ferrogen.serialization.model_codec import model_shape


class Inner(BaseModel):
    n: int
    kind: Literal["inner"] = "inner"


class Other(BaseModel):
    words: list[str]
    kind: Literal["other"] = "other"


class Wider(Inner):
    more: str = "more"


class Everything(BaseModel):
    model_config = ConfigDict(title="All", strict=False, frozen=True, extra="forbid")

    text: str = Field(default="", max_length=1_000, description="any text")
    checked: Annotated[str, AfterValidator(str)] = ""
    number: int = Field(default=0, validation_alias="Number")
    ratio: float = 0.5
    on: bool = False
    nothing: None = None
    anything: Any = None
    word: Literal["a", "b"] = "a"
    perhaps: Optional[Inner] = None  # noqa: UP045 - as people write it
    either: Union[int, str, list[float]] = 0  # noqa: UP007
    tagged: Annotated[Inner | Other, Field(discriminator="kind")] = Inner(n=1)
    many: list[Inner] = []
    named: dict[str, dict[str, Other]] = {}

    @model_validator(mode="after")
    def look(self) -> Everything:
        return self


class Tree(BaseModel):
    branches: list[Tree] = []


class Aliased(BaseModel):
    n: int = Field(alias="N")


class Dated(BaseModel):
    at: datetime.date = datetime.date(2026, 1, 2)


class Serialized(BaseModel):
    n: int = 1

    @field_serializer("n")
    def show(self, n: int) -> str:
        return f"<{n}>"


class SerializedAsWhole(BaseModel):
    n: int = 1

    @model_serializer
    def show(self) -> dict[str, int]:
        return {"m": self.n}


class Computed(BaseModel):
    n: int = 1

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return self.n * 2


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Watched(BaseModel):
    n: int = 1

    def __getattribute__(self, name: str) -> Any:
        return super().__getattribute__(name)


class Hidden(BaseModel):
    n: int = 1
    secret: str = Field(default="s", exclude=True)


class Infinite(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")

    ratio: float = float("inf")


class HoldsSerialized(BaseModel):
    inner: list[Serialized] = [Serialized()]


class Annotation(BaseModel):
    n: Annotated[int, PlainSerializer(str)] = 1


class Numbers(RootModel[list[int]]):
    pass


OTHERS = [
    Tree(branches=[Tree()]),
    Aliased(N=1),
    Dated(),
    Serialized(),
    SerializedAsWhole(),
    Computed(),
    Open(n=1, m=[2]),  # type: ignore[call-arg]
    Watched(),
    Hidden(),
    Infinite(),
    HoldsSerialized(),
    Annotation(),
    Numbers([1]),
]


def written(message: BaseModel) -> bytes:
    return PydanticJsonMessageSerializer(type(message)).serialize(message)


def outcome_of(write: Callable[[], bytes]) -> tuple[Any, list[str]]:
    """What is written, or the kind of the error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            outcome: Any = write()
        except ValueError:
            outcome = ValueError
    return outcome, [str(warning.message) for warning in caught]


@pytest.mark.parametrize("message", OTHERS, ids=lambda message: type(message).__name__)
def test_a_model_with_rules_of_its_own_is_left_to_pydantic(message: BaseModel) -> None:
    assert model_shape(type(message)) is None
    assert written(message) == message.model_dump_json().encode()


TEXT = st.text(st.characters(exclude_categories=[]), max_size=20)
NUMBERS = st.one_of(st.integers(), st.floats(), st.booleans())
INNER = st.one_of(
    st.builds(Inner, n=st.integers(-9, 9)),
    st.builds(Wider, n=st.integers(-9, 9)),
    st.builds(Other, words=st.lists(TEXT, max_size=3)),
)
VALUES = st.recursive(
    st.one_of(st.none(), NUMBERS, TEXT, INNER, st.just(b"bytes"), st.sampled_from(["a", "b"])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.dictionaries(st.one_of(TEXT, st.integers()), inner, max_size=3),
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(list(Everything.model_fields)), VALUES))
@example({"ratio": 1e16, "text": 'é\x7f\x1f"\\\u2028'})
@example({"ratio": 9e-5, "anything": [1e-4, -0.0, {"": None}]})
@example({"tagged": Wider(n=1), "many": [Wider(n=2)], "perhaps": Wider(n=3)})
@example({"either": 1.0, "number": 2**63, "on": 1})
@example({"either": [1, 2.5], "word": "c", "text": "\ud800"})
def test_a_plain_model_is_written_as_pydantic_writes_it_whatever_it_holds(
    values: dict[str, Any],
) -> None:
    message = Everything.model_construct(**values)
    assert outcome_of(lambda: written(message)) == outcome_of(
        lambda: message.model_dump_json().encode()
    )


KINDS: list[Any] = [
    int,
    float,
    str,
    bool,
    Any,
    Inner,
    list[int],
    dict[str, float],
    Literal["a", "b"],
    int | None,
    float | str,
    int | float | bool,
    Inner | Other,
    list[Inner | str],
]


@given(st.data(), st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
def test_any_plain_model_is_written_as_pydantic_writes_it(data: Any, kinds: list[Any]) -> None:
    fields: Any = {f"field_{number}": (kind, None) for number, kind in enumerate(kinds)}
    cls = create_model("Made", **fields)
    assert model_shape(cls) is not None
    message = cls.model_construct(**{name: data.draw(VALUES) for name in fields})
    assert outcome_of(lambda: written(message)) == outcome_of(
        lambda: message.model_dump_json().encode()
    )


def test_plain_models_are_written_natively() -> None:
    for cls in (Everything, Inner, Other, Wider):
        assert model_shape(cls) is not None


def test_what_else_is_kept_in_a_model_is_not_written() -> None:
    class Cached(BaseModel):
        n: int

        @functools.cached_property
        def twice(self) -> int:
            return self.n * 2

    message = Cached(n=1)
    assert message.twice == 2
    assert written(message) == b'{"n":1}'


def test_fields_are_written_in_the_order_in_which_the_model_holds_them() -> None:
    message = Inner(n=1)
    del message.n
    message.n = 2
    assert written(message) == message.model_dump_json().encode() == b'{"kind":"inner","n":2}'


def test_a_model_that_is_rebuilt_is_written_by_its_new_rules() -> None:
    class Rebuilt(BaseModel):
        n: int

    serializer = PydanticJsonMessageSerializer(Rebuilt)
    assert serializer.serialize(Rebuilt(n=1)) == b'{"n":1}'
    Rebuilt.model_fields["n"].exclude = True
    Rebuilt.model_rebuild(force=True)
    assert serializer.serialize(Rebuilt(n=1)) == b"{}"


def test_a_model_whose_annotations_are_not_there_yet_is_written_once_they_are() -> None:
    class Early(BaseModel):
        later: Later | None = None

    serializer = PydanticJsonMessageSerializer(Early)
    assert model_shape(Early) is None

    class Later(BaseModel):
        n: int

    Early.model_rebuild()
    message = Early(later=Later(n=1))
    assert serializer.serialize(message) == b'{"later":{"n":1}}'
    assert serializer.deserialize(b'{"later":{"n":1}}') == message
