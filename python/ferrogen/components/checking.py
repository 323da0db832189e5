"""The dry run: finds every fault of a config without making anything of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import SecretStr, ValidationError

from ferrogen.components.config import ComponentFromConfig
from ferrogen.components.faults import (
    Fault,
    FaultKind,
    Place,
    is_component,
    replaced,
    spelled,
    values_in,
)
from ferrogen.components.loader import component_class_of, past_version
from ferrogen.components.model import ComponentModel
from ferrogen.components.secrets import MASK, EnvironmentSecret, take_references
from ferrogen.exceptions import ComponentError, UntrustedProviderError


def check_component(
    component: ComponentModel | dict[str, Any], expected: type[Any] | None = None
) -> list[Fault]:
    """Find all faults of a config, down to the components that are nested in it.

    No component is made, and nothing is imported but modules of trusted namespaces. What looks
    like a nested component is taken for one. Beside what loading would refuse, it is a fault if
    the config is of a later version than its class, if it names another ``component_type``, and
    if it has a secret that was masked when it was written.

    Args:
        component: The dumped component, or its fields in a dict. It stays as it is.
        expected: The class that the component has to be of.

    Returns:
        The faults, those of a component before those of the components in it.
    """
    return list(_faults(component, expected, ()))


def _faults(
    component: ComponentModel | dict[str, Any], expected: type[Any] | None, place: Place
) -> Iterator[Fault]:
    try:
        model = ComponentModel.model_validate(component)
    except ValidationError as error:
        yield from _validation_faults(error, "shape", place)
        config = component.get("config") if isinstance(component, dict) else None
    else:
        yield from _own_faults(model, expected, place)
        config = model.config
    for inner, value in values_in(config, (*place, "config")):
        if is_component(value):
            yield from _faults(value, None, inner)


def _own_faults(model: ComponentModel, expected: type[Any] | None, place: Place) -> Iterator[Fault]:
    """Find the faults of one component, without those of the components in it."""
    component_class: Any = None
    try:
        component_class = component_class_of(model)
    except UntrustedProviderError as error:
        yield Fault(spelled((*place, "provider")), "untrusted", str(error))
    except ComponentError as error:
        yield Fault(spelled((*place, "provider")), "provider", str(error))
    except Exception as error:  # noqa: BLE001 - importing a module can raise anything
        message = f"{model.provider!r} cannot be imported: {error}"
        yield Fault(spelled((*place, "provider")), "provider", message)
    else:
        yield from _type_faults(model, component_class, expected, place)
        yield from _version_faults(model, component_class, place)
    at_config = (*place, "config")
    config, secrets = take_references(model.config)
    for inner, secret in secrets.items():
        if not secret.is_set():
            message = f"the environment variable {secret.variable!r} of a secret is not set"
            yield Fault(spelled((*at_config, *inner)), "secret", message)
    for inner, value in values_in(config, at_config):
        if isinstance(value, str) and value == MASK:
            message = (
                "the secret was masked when it was written; put in its place "
                '{"$env": "NAME OF AN ENVIRONMENT VARIABLE"}'
            )
            yield Fault(spelled(inner), "secret", message)
    if component_class is not None and past_version(model, component_class) is None:
        yield from _config_faults(component_class, config, at_config)


def _type_faults(
    model: ComponentModel, component_class: Any, expected: type[Any] | None, place: Place
) -> Iterator[Fault]:
    if expected is not None and not issubclass(component_class, expected):
        message = f"{model.provider} is not a {expected.__name__}"
        yield Fault(spelled((*place, "provider")), "type", message)
    if model.component_type not in (None, component_class.component_type):
        message = f"{model.provider} is a {component_class.component_type!r}"
        yield Fault(spelled((*place, "component_type")), "type", message)


def _version_faults(model: ComponentModel, component_class: Any, place: Place) -> Iterator[Fault]:
    current = component_class.component_version
    version = model.component_version or current
    migrate = component_class._from_config_past_version
    unwritten: Any = ComponentFromConfig._from_config_past_version
    migrates = getattr(migrate, "__func__", migrate) is not unwritten.__func__
    if version > current:
        message = f"{model.provider} is on version {current} and does not know {version} yet"
    elif version < current and not migrates:
        message = f"{model.provider} is on version {current} and cannot read version {version}"
    else:
        return
    yield Fault(spelled((*place, "component_version")), "version", message)


def _config_faults(component_class: Any, config: dict[str, Any], place: Place) -> Iterator[Fault]:
    try:
        schema = component_class.component_config_schema
        schema.model_validate(replaced(config, _any_secret))
    except ValidationError as error:
        yield from _validation_faults(error, "config", place)
    except Exception as error:  # noqa: BLE001 - validators of others can raise anything
        yield Fault(spelled(place), "config", f"{type(error).__name__}: {error}")
    for fault in component_class._faults_of_config(config):
        yield Fault(spelled((*place, fault.place)), fault.kind, fault.message)


def _any_secret(_place: Place, value: Any) -> Any:
    """Replace missing secrets, which are reported already, by placeholders."""
    return SecretStr(MASK) if isinstance(value, EnvironmentSecret) else value


def _validation_faults(error: ValidationError, kind: FaultKind, place: Place) -> Iterator[Fault]:
    # Without the input, which can be anything, for instance a secret.
    for one in error.errors(include_url=False, include_input=False, include_context=False):
        yield Fault(spelled((*place, *one["loc"])), kind, one["msg"])
