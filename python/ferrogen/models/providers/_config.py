"""Arguments of model clients: validation, and the form they have in configs."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from typing import Any

from ferrogen.exceptions import ClientSetupError, UnknownArgumentError
from ferrogen.models.model_info import ModelFamily, ModelInfo, validate_model_info
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


_UNWRITABLE = ("http_client", "ledger")


def check_names(owner: str, given: Collection[str], known: Collection[str], advice: str) -> None:
    """Check the names of arguments.

    Args:
        owner: The class or method that they are for.
        given: The names.
        known: The names that exist.
        advice: Where an argument of the service belongs that is not among them.

    Raises:
        UnknownArgumentError: A name does not exist.
    """
    for name in sorted(set(given) - set(known)):
        close = get_close_matches(name, known, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise UnknownArgumentError(f"{owner} has no argument {name!r}{hint}; {advice}")


def checked_arguments(
    owner: str, given: Mapping[str, Any], known: Collection[str], advice: str
) -> dict[str, Any]:
    """Check the arguments of a constructor, and leave out those that are ``None``.

    Raises:
        UnknownArgumentError: There is no such argument.
        ClientSetupError: The model is missing.
    """
    check_names(owner, given, known, advice)
    model = given.get("model")
    if not isinstance(model, str) or not model:
        raise ClientSetupError(f"the argument model is required for {owner}")
    return {name: value for name, value in given.items() if value is not None}


def writable(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that a config holds.

    Raises:
        ClientSetupError: An argument cannot be written.
    """
    for name, value in arguments.items():
        if name == "http_client" or (callable(value) and not isinstance(value, type)):
            raise ClientSetupError(
                f"a client that was given {name} cannot be dumped, because only values can be "
                "written; leave it out, or create the client in code"
            )
    return {name: value for name, value in arguments.items() if name not in _UNWRITABLE}
