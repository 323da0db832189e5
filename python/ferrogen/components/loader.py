"""Loading of components from their configs."""

from __future__ import annotations

from typing import Any, TypeVar, cast, overload

from typing_extensions import Self

from ferrogen.components.config import ComponentFromConfig, ComponentSchemaType, ComponentToConfig
from ferrogen.components.model import ComponentModel
from ferrogen.components.providers import find_provider
from ferrogen.components.secrets import remember, require, take_references
from ferrogen.exceptions import (
    ComponentDefinitionError,
    ComponentTypeError,
    ComponentVersionError,
)

ExpectedType = TypeVar("ExpectedType")


class ComponentLoader:
    """Loader of components: of its own class, or of any requested class.

    Example:
        ```python
        from ferrogen import ComponentLoader, InMemoryStore

        dumped = InMemoryStore().dump_component()
        store = ComponentLoader.load_component(dumped, InMemoryStore)
        assert isinstance(store, InMemoryStore)
        ```
    """

    @overload
    @classmethod
    def load_component(
        cls, model: ComponentModel | dict[str, Any], expected: None = None
    ) -> Self: ...

    @overload
    @classmethod
    def load_component(
        cls, model: ComponentModel | dict[str, Any], expected: type[ExpectedType]
    ) -> ExpectedType: ...

    @classmethod
    def load_component(
        cls, model: ComponentModel | dict[str, Any], expected: type[ExpectedType] | None = None
    ) -> Self | ExpectedType:
        """Make a component from what `ComponentToConfig.dump_component` wrote.

        Args:
            model: The dumped component, or its fields in a dict. It stays as it is.
            expected: The class it has to be of; by default the class this is called on.

        Raises:
            ProviderError: The provider is not a dotted path.
            UntrustedProviderError: The provider is in no trusted namespace.
            ImportError: The module of the provider cannot be imported.
            ComponentTypeError: The provider is not a component class, or not of the expected class.
            ComponentDefinitionError: The class lacks ``component_config_schema`` or
                ``component_type``.
            ComponentVersionError: The config is of a past version that the class cannot read.
            SecretError: The config refers to an environment variable that is not set.
            pydantic.ValidationError: The config does not fit its schema.
        """
        loaded = ComponentModel(**model) if isinstance(model, dict) else model
        instance = _make(loaded)
        wanted: type[Any] = cls if expected is None else expected
        if not isinstance(instance, wanted):
            raise ComponentTypeError(
                f"Expected type does not match: {loaded.provider!r} is a "
                f"{type(instance).__name__}, not a {wanted.__name__}"
            )
        return cast("Self | ExpectedType", instance)


def _make(model: ComponentModel) -> object:
    component_class = component_class_of(model)
    config, secrets = take_references(model.config)
    require(secrets, model.provider)
    version = past_version(model, component_class)
    if version is None:
        schema = component_class.component_config_schema
        made = component_class._from_config(schema.model_validate(config))
    else:
        made = _migrated(component_class, config, version, model.provider)
    remember(made, secrets)
    return made


COMPONENT_PARTS = (ComponentFromConfig, ComponentToConfig, ComponentSchemaType, ComponentLoader)
"""The bases of component classes."""


def has_component_parts(cls: object) -> bool:
    """Return whether a value is a class with all the bases of a component."""
    return isinstance(cls, type) and all(issubclass(cls, part) for part in COMPONENT_PARTS)


def component_class_of(model: ComponentModel) -> Any:
    """Import the component class that a provider names.

    Raises:
        ProviderError: The provider is not a dotted path, or not in a trusted namespace.
        ImportError: The module of the provider cannot be imported.
        AttributeError: The module has no such name.
        ComponentTypeError: It is not a component class.
        ComponentDefinitionError: It lacks a class variable.
    """
    component_class: Any = find_provider(model.provider)
    if not has_component_parts(component_class):
        raise ComponentTypeError(
            f"Invalid component class {model.provider!r}: it has to be a class of both "
            "ComponentBase and Component; if it is built on autogen_core, call "
            "ferrogen.install() before autogen_core is imported"
        )
    lacking = missing_class_variable(component_class)
    if lacking:
        raise ComponentDefinitionError(f"{lacking} not defined by {model.provider}")
    return component_class


def missing_class_variable(component_class: object) -> str | None:
    """Return a class variable that a component class should have and has not."""
    names = ("component_config_schema", "component_type")
    return next((name for name in names if not hasattr(component_class, name)), None)


def past_version(model: ComponentModel, component_class: Any) -> int | None:
    """Return the version of a config if its class has moved on since."""
    current: int = component_class.component_version
    version = model.component_version or current
    return version if version < current else None


def _migrated(component_class: Any, config: dict[str, Any], version: int, provider: str) -> object:
    try:
        return component_class._from_config_past_version(config, version)
    except NotImplementedError as error:
        raise ComponentVersionError(
            f"{provider} is on version {component_class.component_version} and cannot read a "
            f"config of version {version}: _from_config_past_version is not implemented"
        ) from error
