"""The abilities of the client's model: given, or from the registry."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from ferrogen.exceptions import ClientSetupError, ModelInfoError
from ferrogen.models.families import ModelFamily
from ferrogen.models.model_info import ModelInfo, validate_model_info
from ferrogen.models.registry import model_info


def told_abilities(model: str, arguments: Mapping[str, Any]) -> ModelInfo:
    """Give what the user says of the model, or what is known of it.

    Args:
        model: Who is asked.
        arguments: The arguments of the client.

    Raises:
        ClientSetupError: The user says it in two ways.
        ModelInfoError: What is said is incomplete, or at odds with the other arguments.
    """
    told, capabilities = arguments.get("model_info"), arguments.get("model_capabilities")
    if told is not None and capabilities is not None:
        raise ClientSetupError("model_capabilities and model_info are mutually exclusive")
    if capabilities is not None:
        warnings.warn(
            "model_capabilities is deprecated, use model_info instead",
            DeprecationWarning,
            stacklevel=4,
        )
        told = {"structured_output": False, **capabilities, "family": ModelFamily.UNKNOWN}
    info: ModelInfo = model_info(model) if told is None else told
    validate_model_info(info)
    wanted = arguments.get("response_format")
    if isinstance(wanted, dict) and wanted.get("type") == "json_object" and not info["json_output"]:
        raise ModelInfoError("Model does not support JSON output; if it does, say so in model_info")
    return info
