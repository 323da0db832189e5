"""Limits of contexts, and their configs: each field is an attribute with a `_` before it."""

from typing import Any, TypeVar

from pydantic import BaseModel

from ferrogen.exceptions import ContextLimitError


def checked_limit(name: str, limit: int) -> int:
    """Return the limit.

    Args:
        name: The parameter that it was given as.
        limit: How much is sent at most.

    Raises:
        ContextLimitError: It is not above zero.
    """
    if limit <= 0:
        raise ContextLimitError(f"{name} must be greater than 0, not {limit}")
    return limit


ConfigT = TypeVar("ConfigT", bound=BaseModel)


def config_of(context: object, schema: type[ConfigT], **written: Any) -> ConfigT:
    """Write the config of a context.

    Args:
        context: The context, with an attribute ``_x`` for each field ``x``.
        schema: The class of the config.
        **written: Fields whose attributes are not data, in the form that the config has them in.
    """
    plain = schema.model_fields.keys() - written.keys()
    return schema(**written, **{name: getattr(context, f"_{name}") for name in plain})
