"""Comparisons with values in metadata as SQL of PostgreSQL."""

from __future__ import annotations

from typing import Any

from ferrogen.memory.filters import Comparison
from ferrogen.memory.sql.conditions import Condition, compared, marks

_ORDER = {"==": "=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}


def in_jsonb(comparison: Comparison) -> Condition:
    """Turn a comparison with a value in the metadata into a condition.

    Each key is a parameter of ``->``, which finds keys of objects and no places in lists.
    """
    keys = comparison.field.path
    value = "items.attributes" + " -> CAST(? AS TEXT)" * len(keys)
    if comparison.operator == "exists":
        return Condition(f"({value}) IS NOT NULL", keys)
    if comparison.operator == "contains":
        test, parameters = _typed("one.value", "==", comparison.value)
        elements = (
            "jsonb_array_elements(CASE WHEN jsonb_typeof(found.value) = 'array' "
            "THEN found.value END) AS one"
        )
        test = f"EXISTS (SELECT 1 FROM {elements} WHERE {test})"
    elif comparison.operator == "in":
        test, parameters = _one_of(comparison.value)
    else:
        test, parameters = _typed("found.value", comparison.operator, comparison.value)
    sql = f"EXISTS (SELECT 1 FROM (SELECT {value} AS value) AS found WHERE {test})"
    return Condition(sql, (*keys, *parameters))


def _typed(value: str, operator: str, compared_with: Any) -> tuple[str, tuple[Any, ...]]:
    """Compare a JSON value with one of the same type."""
    if compared_with is None:
        return f"jsonb_typeof({value}) = 'null'", ()
    if isinstance(compared_with, bool):
        return f"{value} = CAST('{'true' if compared_with else 'false'}' AS JSONB)", ()
    if isinstance(compared_with, str):
        return compared(_text(value), operator, compared_with)
    return f"{_number(value)} {_ORDER[operator]} CAST(? AS NUMERIC)", (_decimal(compared_with),)


def _one_of(values: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    texts = tuple(one for one in values if isinstance(one, str))
    numbers = tuple(
        _decimal(one)
        for one in values
        if isinstance(one, (int, float)) and not isinstance(one, bool)
    )
    tests = [
        _typed("found.value", "==", special)[0]
        for special in (True, False, None)
        if any(each is special for each in values)
    ]
    if texts:
        tests.append(f"{_text('found.value')} IN ({marks(texts)})")
    if numbers:
        listed = ", ".join(["CAST(? AS NUMERIC)"] * len(numbers))
        tests.append(f"{_number('found.value')} IN ({listed})")
    return f"({' OR '.join(tests) or 'FALSE'})", texts + numbers


def _text(value: str) -> str:
    """Return the text of a JSON string, else NULL; ordered by code points."""
    text = f"CASE WHEN jsonb_typeof({value}) = 'string' THEN {value} #>> '{{}}' END"
    return f'(({text}) COLLATE "C")'


def _number(value: str) -> str:
    """Return the value of a JSON number, else NULL."""
    number = f"CAST({value} #>> '{{}}' AS NUMERIC)"
    return f"(CASE WHEN jsonb_typeof({value}) = 'number' THEN {number} END)"


def _decimal(number: float) -> str:
    """Return a number in digits: a float as a parameter would be rounded to 15 of them."""
    return repr(int(number) if isinstance(number, int) else float(number))
