"""Filters select the same items in SQL as in Python, whatever strings they contain."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferrogen.exceptions import MemoryQueryError
from ferrogen.memory import NewItem, PostgresMemory, Scope, SqliteMemory, filters

from ..random_examples import examples
from .conftest import on_sql, text

START = datetime(2026, 1, 1, tzinfo=timezone.utc)
HOSTILE = [
    "'",
    '"',
    "' OR 1=1 --",
    "'); DROP TABLE items; --",
    '"] = 1 OR $."x',
    "$.topic",
    "a.b",
    "a[0]",
    "%",
    "_",
    "\\",
    "?",
    "?1",
    ":x",
    "NULL",
    "",
    "Ünï",
    "日本",
    "\n",
    "\x7f",
    "0",
    "1",
    "true",
    "]",
    "#",
    "/*",
]
words = st.sampled_from(HOSTILE) | st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=4
)
names = words.filter(bool)
numbers = st.integers(-(2**53), 2**53) | st.integers(-3, 3) | st.sampled_from([0.5, -1.25, 1e300])
scalars = words | numbers | st.booleans() | st.none()
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=5,
)
times = st.integers(-5, 5).map(lambda days: START + timedelta(days=days))


def comparisons(field, kind):
    ordered = {"text": words, "number": numbers, "time": times, "json": words | numbers}[kind]
    any_value = {"text": words, "number": numbers, "time": times, "json": scalars}[kind]
    options = [
        st.builds(field.equals, any_value),
        st.builds(field.one_of, st.lists(any_value, max_size=3)),
        st.builds(field.less_than, ordered),
        st.builds(field.at_most, ordered),
        st.builds(field.greater_than, ordered),
        st.builds(field.between, ordered, ordered),
        st.builds(field.exists),
    ]
    if kind in {"text", "json"}:
        options.append(st.builds(field.starts_with, words))
    if kind == "json":
        options.append(st.builds(field.contains, scalars))
    return st.one_of(options)


columns = st.sampled_from(
    [
        filters.ID,
        filters.USER,
        filters.AGENT,
        filters.SOURCE,
        filters.MESSAGE_ID,
        filters.MIME_TYPE,
        filters.IMPORTANCE,
        filters.CREATED_AT,
        filters.EXPIRES_AT,
    ]
)
fields = columns | st.lists(words, min_size=1, max_size=2).map(lambda path: filters.metadata(*path))
expressions = st.recursive(
    fields.flatmap(lambda field: comparisons(field, field.kind)),
    lambda inner: (
        st.builds(lambda a, b: a & b, inner, inner)
        | st.builds(lambda a, b: a | b, inner, inner)
        | inner.map(lambda a: ~a)
    ),
    max_leaves=6,
)
new_items = st.builds(
    lambda metadata, source, user, importance, created, ttl: NewItem(
        content=text("tea").model_copy(update={"metadata": metadata}),
        source=source,
        scope=Scope(user=user),
        importance=importance,
        created_at=created,
        ttl=ttl,
    ),
    st.none() | st.dictionaries(words, values, max_size=4),
    st.none() | names,
    st.none() | names,
    st.sampled_from([0.0, 0.25, 1.0]),
    times,
    st.none() | st.just(1e9),
)


item_lists = st.lists(new_items, min_size=1, max_size=6)


@given(item_lists, st.lists(expressions, min_size=1, max_size=4))
def test_sql_and_python_agree_on_any_filter(items, conditions):
    memory = SqliteMemory(":memory:", clock=START.timestamp)
    asyncio.run(compare_with_python(memory, items, conditions))


@pytest.mark.timeout(600)
@examples(20)
@given(item_lists, st.lists(expressions, min_size=12, max_size=12))
def test_sql_of_postgres_and_python_agree_on_any_filter(postgres, items, conditions):
    memory = PostgresMemory(postgres, schema_name="test_filters", clock=START.timestamp)
    asyncio.run(compare_with_python(memory, items, conditions))


async def compare_with_python(memory, items, conditions) -> None:
    async with memory:
        await memory.clear()
        await memory.add_many(items)
        everything = await memory.items()
        assert len(everything) == len(items)
        for condition in conditions:
            expected = [item.id for item in everything if condition.matches(item)]
            assert [item.id for item in await memory.items(condition)] == expected
            found = await memory.search("tea", where=condition, limit=100)
            assert sorted(one.item.id for one in found) == sorted(expected)


@on_sql
async def test_values_of_different_types_are_never_equal(open_memory):
    memory = open_memory()
    for number, value in enumerate([1, 1.0, True, "1", None, [1], {"a": 1}]):
        await memory.add(text("tea", value=value), id=str(number))

    async def found(condition):
        return {item.id for item in await memory.items(condition)}

    value = filters.metadata("value")
    assert await found(value.equals(1)) == {"0", "1"}
    assert await found(value.equals(True)) == {"2"}
    assert await found(value.equals("1")) == {"3"}
    assert await found(value.equals(None)) == {"4"}
    assert await found(value.contains(1)) == {"5"}
    assert await found(filters.metadata("value", "a").equals(1)) == {"6"}
    assert await found(~value.equals(1)) == {"2", "3", "4", "5", "6"}
    assert await found(value.exists()) == set("0123456")


@on_sql
async def test_a_long_set_is_one_condition(open_memory):
    memory = open_memory()
    await memory.add_many([text("tea", number=number) for number in (1, 5000, 9999)])
    many = filters.metadata("number").one_of([*range(5001), "x", True])
    assert len(await memory.items(many)) == 2
    ids = [item.id for item in await memory.items()]
    assert len(await memory.items(filters.ID.one_of([*map(str, range(9000)), *ids]))) == 3


FILTERS_TOO_LARGE = {
    "values": lambda: filters.ID.one_of(map(str, range(40_000))),
    "alternatives": lambda: filters.AnyOf(tuple(filters.ID.equals(str(n)) for n in range(600))),
    "nesting": lambda: reduce(lambda inner, _: ~inner, range(200), filters.ID.exists()),
}


@pytest.mark.parametrize("make", FILTERS_TOO_LARGE.values(), ids=FILTERS_TOO_LARGE.keys())
@on_sql
async def test_a_filter_that_is_too_large_is_a_typed_error(open_memory, make):
    memory = open_memory()
    with pytest.raises(MemoryQueryError):
        await memory.items(make())


@pytest.mark.parametrize(
    "make",
    [
        lambda: filters.SOURCE.equals(1),
        lambda: filters.SOURCE.equals("a\0"),
        lambda: filters.SOURCE.equals("\ud800"),
        lambda: filters.IMPORTANCE.equals(True),
        lambda: filters.IMPORTANCE.at_least(float("nan")),
        lambda: filters.VERSION.equals(2**70),
        lambda: filters.CREATED_AT.equals(1.0),
        lambda: filters.CREATED_AT.less_than(datetime(2026, 1, 1)),
        filters.metadata,
        lambda: filters.metadata("a\0"),
        lambda: filters.metadata("a").less_than(None),
        lambda: filters.metadata("a").equals([1]),
        lambda: filters.SOURCE.one_of("ada"),
        lambda: filters.IMPORTANCE.starts_with("0"),
        lambda: filters.SOURCE.contains("a"),
        lambda: filters.SOURCE.equals("a") & "b",
        lambda: filters.AllOf((filters.SOURCE.equals("a"), "b")),
    ],
)
def test_a_bad_filter_is_a_typed_error(make):
    with pytest.raises(MemoryQueryError):
        make()


@on_sql
async def test_fields_of_ones_own_are_refused(open_memory):
    field = filters.Field("id = '' OR 1", "text")
    with pytest.raises(MemoryQueryError, match="no field"):
        await open_memory().items(field.equals("x"))
