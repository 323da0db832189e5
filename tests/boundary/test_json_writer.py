"""The JSON writer: the exact output of Python's `json`, with any callbacks meanwhile."""

from __future__ import annotations

import enum
import json
import math
from collections import OrderedDict, defaultdict, namedtuple
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ferrogen._core import JsonWriter
from ferrogen.exceptions import SerializationError
from ferrogen.serialization.simplify import simplify


class Nickname(str):
    """Text that presents itself as another one."""

    __slots__ = ()

    def __str__(self) -> str:
        return "someone else"


class Degrees(float):
    def __repr__(self) -> str:
        return "warm"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2**70


class Mood(str, enum.Enum):
    GLAD = "glad"


Pair = namedtuple("Pair", "left right")

TEXT = st.text(st.characters(exclude_categories=[]))  # lone surrogates too
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**64), 2**64),
    st.floats(),
    TEXT,
    TEXT.map(Nickname),
    st.floats().map(Degrees),
    st.sampled_from([*Level, *Mood]),
)
KEYS = st.one_of(SCALARS, st.sampled_from(["", "a", 'q"', "\x7f"]))
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.tuples(inner, inner).map(Pair._make),
        st.dictionaries(KEYS, inner),
        st.dictionaries(TEXT, inner).map(OrderedDict),
        st.dictionaries(TEXT, inner).map(lambda items: defaultdict(list, items)),
    ),
    max_leaves=30,
)


def written(value: Any) -> bytes:
    return JsonWriter("Thing", simplify).write(value)


@given(VALUES)
@example({2: 1, 1.5: 2, True: 3, None: 4, math.inf: 5, "2": 6})
@example('\ud800\U0001f600\x7f\x00\b\f\n\r\t"\\/')
def test_it_writes_what_json_writes(value: Any) -> None:
    assert written(value) == json.dumps(value).encode()


@given(st.floats(allow_subnormal=True))
@example(1e16)
@example(1e-4)
@example(9.999999999999999e-5)
@example(123456789012345680.0)
@example(5e-324)
@example(-0.0)
def test_floats_are_written_as_python_shows_them(number: float) -> None:
    assert written(number) == json.dumps(number).encode()


@given(st.text(alphabet='ab "\\é\U0001f600\x1f', min_size=14, max_size=70))
def test_text_is_escaped_wherever_in_a_block_it_needs_it(text: str) -> None:
    assert written(text) == json.dumps(text).encode()


@dataclass
class Crate:
    weight: int
    labels: list[str] = field(default_factory=list)


@dataclass
class HeavyCrate(Crate):
    straps: int = 2


@dataclass(slots=True)
class Slotted:
    weight: int


@dataclass
class Nothing:
    pass


def test_dataclasses_are_written_by_their_fields_wherever_they_are() -> None:
    message = {"a": [Crate(1, ["x"]), HeavyCrate(2)], "b": (Slotted(3), Nothing())}
    assert written(message) == (
        b'{"a": [{"weight": 1, "labels": ["x"]}, {"weight": 2, "labels": [], "straps": 2}], '
        b'"b": [{"weight": 3}, {}]}'
    )


def test_more_classes_than_it_remembers_are_written_all_the_same() -> None:
    classes = [dataclass(type(f"C{n}", (), {"__annotations__": {f"f{n}": int}})) for n in range(99)]
    messages = [cls(n) for n, cls in enumerate(classes)]
    expected = json.dumps([{f"f{n}": n} for n in range(99)]).encode()
    writer = JsonWriter("Thing", simplify)
    assert writer.write(messages) == writer.write(messages) == expected


def test_a_number_that_python_refuses_to_write_is_refused() -> None:
    with pytest.raises(
        SerializationError, match=r'cannot write "Thing" as JSON: Exceeds the limit'
    ):
        written(10**5000)


def test_what_is_nested_too_deep_or_holds_itself_is_refused() -> None:
    circle: list[Any] = []
    circle.append(circle)
    for value in (circle, {"a": circle}, (circle,)):
        with pytest.raises(SerializationError, match="or holds itself") as caught:
            written(value)
        assert isinstance(caught.value.__cause__, RecursionError)


def test_what_is_nested_less_deep_is_written_on_a_small_stack(run_program: Any) -> None:
    program = """
        import threading
        from ferrogen._core import JsonWriter

        value = 1
        for level in range(999):
            value = [value] if level % 2 else {"a": value}
        threading.stack_size(512 * 1024)
        lengths = []
        writer = JsonWriter("Thing", lambda value: value)
        thread = threading.Thread(target=lambda: lengths.append(len(writer.write(value))))
        thread.start()
        thread.join()
        print(lengths)
    """
    assert run_program(program) == "[4499]\n"


def test_a_function_that_does_not_simplify_is_not_called_forever() -> None:
    with pytest.raises(SerializationError, match="recursion"):
        JsonWriter("Thing", lambda value: value).write(object())


@pytest.mark.parametrize("error", [AttributeError, KeyError, KeyboardInterrupt])
def test_what_an_attribute_raises_reaches_the_caller(error: type[BaseException]) -> None:
    @dataclass
    class Odd:
        weight: int

        @property
        def other(self) -> int:
            raise error("from the attribute")

    Odd.__dataclass_fields__["weight"].name = "other"  # type: ignore[attr-defined]
    with pytest.raises(error, match="from the attribute"):
        written(Odd(1))


def test_attributes_may_change_what_is_being_written_and_write_it_again() -> None:
    writer = JsonWriter("Thing", simplify)
    asked: list[bytes] = []

    class Meddling:
        @property
        def weight(self) -> int:
            asked.append(b"")
            if len(asked) == 1:
                asked[0] = writer.write(shelf)
            if len(asked) == 3:
                shelf["list"].clear()
                shelf["dict"].clear()
            return len(asked)

    sly = dataclass(init=False)(type("Sly", (Meddling,), {"__annotations__": {"weight": int}}))
    shelf: dict[str, Any] = {"list": [sly(), "left out"], "dict": {"a": sly(), "b": 2}}
    # The inner one asks twice more, and clears both while it writes its copy of the dict.
    assert writer.write(shelf) == b'{"list": [{"weight": 3}], "dict": {}}'
    [inner, *_] = asked
    assert inner == b'{"list": [{"weight": 2}, "left out"], "dict": {"a": {"weight": 3}, "b": 2}}'


@pytest.mark.parametrize("value", ["text", 1, None, [Crate(1)], Crate, object()])
def test_what_is_to_be_a_dataclass_and_is_none_is_refused(value: Any) -> None:
    with pytest.raises(SerializationError, match=r'cannot write "Crate" .* not a dataclass'):
        JsonWriter("Crate", simplify).write_dataclass(value)


def test_a_writer_serves_several_threads_at_once(run_program: Any) -> None:
    program = """
        import json, sys, threading
        from dataclasses import make_dataclass
        from ferrogen._core import JsonWriter

        sys.setswitchinterval(1e-6)
        Crate = make_dataclass("Crate", ["weight", "inner"])
        others = [make_dataclass(f"C{n}", [f"f{n}"]) for n in range(30)]
        message = Crate(1, [other(n) for n, other in enumerate(others)])
        expected = json.dumps({"weight": 1, "inner": [{f"f{n}": n} for n in range(30)]}).encode()
        writer = JsonWriter("Crate", lambda value: value)
        right = []

        def write():
            right.append(all(writer.write(message) == expected for _ in range(300)))

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print(right)
    """
    assert run_program(program) == f"{[True] * 4}\n"
