"""Arguments of calls as JSON values."""

import json
from collections.abc import Mapping, Set
from contextlib import suppress
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python


def jsonable(arguments: Any, without: set[str] | None = None) -> dict[str, Any]:
    """Return a copy of arguments that JSON can hold.

    What JSON cannot hold is written as pydantic writes it, and what pydantic cannot write (bytes
    that are not text, lone surrogates in keys) by its ``repr``. Sets are sorted: their order is
    another one in each process, and the copy identifies a call.

    Args:
        arguments: A mapping or a model.
        without: Fields of the model that are left out.
    """
    written: Any = None
    if not _has_sets(arguments):
        with suppress(Exception):  # serializers of the user can raise anything
            written = to_jsonable_python(
                arguments, by_alias=True, fallback=repr, exclude=without or None
            )
    if written is None:
        written = _plain(arguments, without or set())
    return written if isinstance(written, dict) else {"arguments": written}


def _plain(value: Any, without: Set[str] = frozenset()) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        names = {name: fields[name].alias or name for name in fields if name not in without}
        shown = {alias: getattr(value, name) for name, alias in names.items()}
        return _plain({**shown, **(value.model_extra or {})})
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, Set):
        return sorted((_plain(each) for each in value), key=json.dumps)
    try:
        return to_jsonable_python(value, fallback=repr)
    except Exception:  # noqa: BLE001 - see above
        return repr(value)


def _has_sets(value: Any) -> bool:
    if isinstance(value, BaseModel):
        return _has_sets(vars(value)) or _has_sets(value.model_extra or {})
    if isinstance(value, Mapping):
        return any(map(_has_sets, value.values()))
    if isinstance(value, (list, tuple)):
        return any(map(_has_sets, value))
    return isinstance(value, Set)
