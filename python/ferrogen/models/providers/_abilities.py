"""The abilities of a client's model: given, or from the registry."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ferrogen.exceptions import ClientSetupError
from ferrogen.models.families import ModelFamily
from ferrogen.models.model_info import ModelInfo, validate_model_info
from ferrogen.models.registry import model_info


def stated_abilities(
    model: str, arguments: Mapping[str, Any], *, deprecated: bool = False
) -> ModelInfo:
    """Return what the arguments say of a model, or what the registry has.

    Args:
        model: The model.
        arguments: The arguments of the client.
        deprecated: Whether ``model_capabilities`` is deprecated among them.

    Raises:
        ClientSetupError: The arguments say it in two ways.
        ModelInfoError: The information is incomplete.
    """
    stated, capabilities = arguments.get("model_info"), arguments.get("model_capabilities")
    if stated is not None and capabilities is not None:
        raise ClientSetupError("model_capabilities and model_info are mutually exclusive")
    if capabilities is not None:
        if deprecated:
            warnings.warn(
                "model_capabilities is deprecated, use model_info instead",
                DeprecationWarning,
                stacklevel=5,
            )
        stated = {"structured_output": False, **capabilities, "family": ModelFamily.UNKNOWN}
    info: ModelInfo = model_info(model) if stated is None else stated
    validate_model_info(info)
    return info
