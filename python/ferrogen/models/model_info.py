"""The abilities of a model, as its client declares them."""

from __future__ import annotations

import warnings
from typing import Optional, Union

from typing_extensions import Required, TypedDict, deprecated

from ferrogen.exceptions import ModelInfoError
from ferrogen.models.families import ModelFamily

# ruff: noqa: UP007, UP045 - annotations are part of the surface that is compared

# Upstream postpones these annotations too, so `__required_keys__` is empty on both; pydantic
# and type checkers see what is required all the same.

_REQUIRED = ("vision", "function_calling", "json_output", "family")


@deprecated("ModelCapabilities is deprecated: use ModelInfo.")
class ModelCapabilities(TypedDict, total=False):
    """The abilities of a model, in the form before `ModelInfo`."""

    vision: Required[bool]
    """Whether it sees pictures."""

    function_calling: Required[bool]
    """Whether it calls functions."""

    json_output: Required[bool]
    """Whether it can be held to JSON."""


class ModelInfo(TypedDict, total=False):
    """The abilities of a model: the ``model_info`` of a client.

    Example:
        ```python
        from ferrogen.models import ModelFamily, ModelInfo, validate_model_info

        info: ModelInfo = {
            "vision": False,
            "function_calling": True,
            "json_output": True,
            "structured_output": True,
            "family": ModelFamily.UNKNOWN,
        }
        validate_model_info(info)
        ```
    """

    vision: Required[bool]
    """Whether it sees pictures."""

    function_calling: Required[bool]
    """Whether it calls functions."""

    json_output: Required[bool]
    """Whether it can be made to respond with JSON, of any shape."""

    family: Required[Union[ModelFamily.ANY, str]]
    """A name of `ModelFamily`, or any text for another family."""

    structured_output: Required[bool]
    """Whether it can be held to a JSON schema."""

    multiple_system_messages: Optional[bool]
    """Whether system messages may stand apart from each other."""


def validate_model_info(model_info: ModelInfo) -> None:
    """Check that a model info says all that agents rely on.

    A missing ``structured_output`` is a `UserWarning` only.

    Args:
        model_info: The abilities of the model of a client.

    Raises:
        ModelInfoError: A field is missing.
    """
    for field in _REQUIRED:
        if field not in model_info:
            raise ModelInfoError(
                f"Missing required field '{field}' in ModelInfo. "
                f"Required are: {', '.join(_REQUIRED)}"
            )
    if "structured_output" not in model_info:
        warnings.warn(
            "Missing required field 'structured_output' in ModelInfo. "
            "Agents take its absence for False; say so, or True",
            UserWarning,
            stacklevel=2,
        )
