"""Filters as expressions of LanceDB, which has no parameters: every value is a quoted literal."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ferrogen.exceptions import MemoryQueryError
from ferrogen.memory.filters import AllOf, AnyOf, Comparison, Filter, Not
from ferrogen.memory.items import Scope

_COLUMNS = {
    "id": "`id`",
    "user": "nullif(`user`, '')",
    "agent": "nullif(`agent`, '')",
    "conversation": "nullif(`conversation`, '')",
    "source": "`source`",
    "message_id": "`message_id`",
    "mime_type": "`mime_type`",
    "importance": "`importance`",
    "version": "`version`",
    "created_at": "`created_at`",
    "valid_from": "`created_at`",
    "expires_at": "`expires_at`",
}


def literal(value: Any) -> str:
    """Return a value as a literal: the only way by which values get into expressions.

    Raises:
        MemoryQueryError: There is no literal for it.
    """
    if isinstance(value, datetime):
        value = value.timestamp()
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"CAST({float(value)!r} AS DOUBLE)"
    raise MemoryQueryError(f"there is no literal for {value!r}")


def visible(scope: Scope, now: float) -> str:
    """Return the condition that items are in a namespace and have not expired."""
    parts = [f"`{level}` = {literal(value)}" for level, value in scope.levels().items()]
    parts.append(f"(`expires_at` IS NULL OR `expires_at` > {literal(now)})")
    return " AND ".join(parts)


def relaxed(condition: Filter | None) -> str:
    """Return a condition that every item fulfills which fulfills the filter.

    Values in the metadata are JSON, which LanceDB cannot look into: what depends on them is left
    out, and decided by `Filter.matches`.
    """
    return "true" if condition is None else _relaxed(condition) or "true"


def _relaxed(condition: Filter) -> str | None:
    if isinstance(condition, AllOf):
        parts = [part for each in condition.filters if (part := _relaxed(each)) is not None]
        return f"({' AND '.join(parts) or 'true'})"
    if isinstance(condition, AnyOf):
        parts = [_relaxed(each) or "true" for each in condition.filters]
        return f"({' OR '.join(parts) or 'false'})"
    if isinstance(condition, Not):
        exact = _exact(condition.filter)
        return None if exact is None else f"(NOT {exact})"
    return _exact(condition)


def _exact(condition: Filter) -> str | None:
    """Return the same condition, or None if it depends on metadata."""
    if isinstance(condition, (AllOf, AnyOf)):
        parts = [_exact(each) for each in condition.filters]
        word, neutral = (" AND ", "true") if isinstance(condition, AllOf) else (" OR ", "false")
        known = [part for part in parts if part is not None]
        return f"({word.join(known) or neutral})" if len(known) == len(parts) else None
    if isinstance(condition, Not):
        inner = _exact(condition.filter)
        return None if inner is None else f"(NOT {inner})"
    if not isinstance(condition, Comparison):
        raise MemoryQueryError(
            f"{condition!r} is not a filter: use those of ferrogen.memory.filters"
        )
    return None if condition.field.name == "metadata" else _compared(condition)


def _compared(comparison: Comparison) -> str:
    column = _COLUMNS.get(comparison.field.name)
    if column is None:
        raise MemoryQueryError(f"items have no field {comparison.field.name!r}")
    value = comparison.value
    if comparison.operator == "exists":
        test = "true"
    elif comparison.operator == "in":
        test = f"{column} IN ({', '.join(map(literal, value))})" if value else "false"
    elif comparison.operator == "prefix":
        test = f"starts_with({column}, {literal(value)})"
    else:
        operator = {"==": "="}.get(comparison.operator, comparison.operator)
        test = f"{column} {operator} {literal(value)}"
    return f"({column} IS NOT NULL AND {test})"
