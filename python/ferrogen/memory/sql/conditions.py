"""Filters as parameterized SQL: no value of a filter becomes a part of a statement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from ferrogen.exceptions import MemoryQueryError
from ferrogen.memory.filters import AllOf, AnyOf, Comparison, Field, Filter, Not
from ferrogen.memory.items import Scope

_COLUMNS = {
    "id": "items.id",
    "user": "nullif(items.user, '')",
    "agent": "nullif(items.agent, '')",
    "conversation": "nullif(items.conversation, '')",
    "source": "items.source",
    "message_id": "items.message_id",
    "mime_type": "items.mime_type",
    "importance": "items.importance",
    "version": "items.version",
    "created_at": "items.created_at",
    "valid_from": "items.valid_from",
    "expires_at": "items.expires_at",
}
_ORDER = {"<": "<", "<=": "<=", ">": ">", ">=": ">="}
_MOST_PARAMETERS = 30_000
# A chain of AND or OR is as deep as it is long, and SQLite accepts a depth of 1,000.
MOST_PARTS = 500


@dataclass(frozen=True)
class Condition:
    """A boolean expression in SQL, never NULL, and its parameters in their order."""

    sql: str
    parameters: tuple[Any, ...] = ()

    def __and__(self, other: Condition) -> Condition:
        return Condition(f"{self.sql} AND {other.sql}", self.parameters + other.parameters)


CompileMetadata: TypeAlias = "Callable[[Comparison], Condition]"
"""Turns a comparison with a value in the metadata into a condition."""


def compile_filter(
    condition: Filter | None, in_metadata: CompileMetadata | None = None
) -> Condition:
    """Turn a filter into a condition.

    Args:
        condition: The filter.
        in_metadata: How the database looks into metadata; by default as SQLite does.

    Raises:
        MemoryQueryError: It is not a filter, or has too many parts.
    """
    if condition is None:
        return Condition("TRUE")
    compiled = _compile(condition, in_metadata or _in_metadata)
    if len(compiled.parameters) > _MOST_PARAMETERS:
        raise MemoryQueryError(
            f"a filter has {len(compiled.parameters):,} values, the most is {_MOST_PARAMETERS:,}"
        )
    return compiled


def in_scope(scope: Scope) -> Condition:
    """Return the condition that items are in a namespace."""
    found = Condition("TRUE")
    for level, value in scope.levels().items():
        found &= Condition(f"items.{level} = ?", (value,))
    return found


def known_at(time: float | None, now: float) -> Condition:
    """Return the condition that versions were current at a time and had not expired.

    Args:
        time: The time; None is the present.
        now: The present.
    """
    if time is None:
        current = Condition("items.valid_until IS NULL")
        return current & Condition("(items.expires_at IS NULL OR items.expires_at > ?)", (now,))
    return Condition(
        "items.valid_from <= ? AND (items.valid_until IS NULL OR items.valid_until > ?) "
        "AND (items.expires_at IS NULL OR items.expires_at > ?)",
        (time, time, time),
    )


def _compile(condition: Filter, in_metadata: CompileMetadata) -> Condition:
    if isinstance(condition, (AllOf, AnyOf)):
        word, neutral = (" AND ", "TRUE") if isinstance(condition, AllOf) else (" OR ", "FALSE")
        parts = [_compile(each, in_metadata) for each in condition.filters]
        if len(parts) > MOST_PARTS:
            raise MemoryQueryError(
                f"a filter combines {len(parts)} conditions, the most is {MOST_PARTS}: use one_of"
            )
        parameters = tuple(one for part in parts for one in part.parameters)
        return Condition(f"({word.join(part.sql for part in parts) or neutral})", parameters)
    if isinstance(condition, Not):
        inner = _compile(condition.filter, in_metadata)
        return Condition(f"(NOT {inner.sql})", inner.parameters)
    if isinstance(condition, Comparison):
        if condition.field.name == "metadata":
            return in_metadata(condition)
        return _of_column(condition)
    raise MemoryQueryError(f"{condition!r} is not a filter: use those of ferrogen.memory.filters")


def _of_column(comparison: Comparison) -> Condition:
    column = _COLUMNS.get(comparison.field.name)
    if column is None:
        raise MemoryQueryError(f"items have no field {comparison.field.name!r}")
    sql, parameters = compared(column, comparison.operator, comparison.value)
    return Condition(f"({column} IS NOT NULL AND {sql})", parameters)


def _in_metadata(comparison: Comparison) -> Condition:
    tables, conditions, keys = _path(comparison.field)
    value = f"m{len(keys)}"
    if comparison.operator == "exists":
        test, parameters = "TRUE", ()
    elif comparison.operator == "contains":
        tables += f", json_each(CASE WHEN {value}.type = 'array' THEN {value}.value END) AS one"
        test, parameters = _typed("one", "==", comparison.value)
    elif comparison.operator == "in":
        tests = [_typed(value, "==", each) for each in comparison.value]
        test = f"({' OR '.join(sql for sql, _ in tests) or 'FALSE'})"
        parameters = tuple(one for _, each in tests for one in each)
        if len(tests) > MOST_PARTS:
            test, parameters = _long_list(value, comparison.value)
    else:
        test, parameters = _typed(value, comparison.operator, comparison.value)
    sql = f"EXISTS (SELECT 1 FROM {tables} WHERE {' AND '.join(conditions)} AND {test})"
    return Condition(sql, (*keys, *parameters))


def _path(field: Field) -> tuple[str, list[str], tuple[str, ...]]:
    """Return the tables and conditions that lead to a value in the metadata."""
    tables, conditions = [], []
    for number in range(1, len(field.path) + 1):
        above = f"m{number - 1}"
        source = (
            "items.metadata"
            if number == 1
            else f"CASE WHEN {above}.type = 'object' THEN {above}.value END"
        )
        tables.append(f"json_each({source}) AS m{number}")
        conditions.append(f"m{number}.key = ?")
    return ", ".join(tables), conditions, field.path


def _typed(table: str, operator: str, value: Any) -> tuple[str, tuple[Any, ...]]:
    """Compare a JSON value with one of the same type."""
    if value is None:
        return f"{table}.type = 'null'", ()
    if isinstance(value, bool):
        return f"{table}.type = '{'true' if value else 'false'}'", ()
    types = "('text')" if isinstance(value, str) else "('integer', 'real')"
    sql, parameters = compared(f"{table}.value", operator, value)
    return f"({table}.type IN {types} AND {sql})", parameters


def _long_list(table: str, values: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    texts = tuple(one for one in values if isinstance(one, str))
    numbers = tuple(
        one for one in values if isinstance(one, (int, float)) and not isinstance(one, bool)
    )
    parts = [
        f"({table}.type = 'text' AND {table}.value IN ({marks(texts)}))",
        f"({table}.type IN ('integer', 'real') AND {table}.value IN ({marks(numbers)}))",
    ]
    for one, name in ((True, "true"), (False, "false"), (None, "null")):
        if any(each is one for each in values):
            parts.append(f"{table}.type = '{name}'")
    return f"({' OR '.join(parts)})", texts + numbers


def compared(column: str, operator: str, value: Any) -> tuple[str, tuple[Any, ...]]:
    """Return the comparison of a column with a value of the same type."""
    if operator == "exists":
        return "TRUE", ()
    if operator == "in":
        values = tuple(map(_parameter, value))
        return f"{column} IN ({marks(values)})" if values else "FALSE", values
    if operator == "prefix":
        return f"substr({column}, 1, length(CAST(? AS TEXT))) = ?", (value, value)
    if operator == "==":
        return f"{column} = ?", (_parameter(value),)
    return f"{column} {_ORDER[operator]} ?", (_parameter(value),)


def _parameter(value: Any) -> Any:
    return value.timestamp() if isinstance(value, datetime) else value


def marks(values: tuple[Any, ...]) -> str:
    """Return a mark for each of some parameters."""
    return ", ".join("?" * len(values))
