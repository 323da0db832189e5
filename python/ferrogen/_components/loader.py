"""Makes components from what was dumped."""

from __future__ import annotations

from typing import Any, TypeVar, cast, overload

from typing_extensions import Self

from ferrogen._components.model import ComponentModel
from ferrogen._components.providers import find_provider
from ferrogen.exceptions import (
    ComponentDefinitionError,
    ComponentTypeError,
    ComponentVersionError,
)

ExpectedType = TypeVar("ExpectedType")


class ComponentLoader:
    """What loads components: of its own class, or of any class that is asked for.

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
            ProviderError: The provider is no dotted path, or not in a trusted namespace.
            ImportError: The module of the provider cannot be imported.
            ComponentTypeError: The provider is no component class, or not of the expected class.
            ComponentDefinitionError: The class lacks ``component_config_schema`` or
                ``component_type``.
            ComponentVersionError: The config is of a past version that the class cannot read.
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
    from ferrogen._components.component import is_component_class

    component_class: Any = find_provider(model.provider)
    if not is_component_class(component_class):
        raise ComponentTypeError(
            f"Invalid component class {model.provider!r}: it has to be a class of both "
            "ComponentBase and Component; if it is built on autogen_core, call "
            "ferrogen.install() before autogen_core is imported"
        )
    for name in ("component_config_schema", "component_type"):
        if not hasattr(component_class, name):
            raise ComponentDefinitionError(f"{name} not defined by {model.provider}")
    current = component_class.component_version
    version = model.component_version or current
    if version >= current:
        config = component_class.component_config_schema.model_validate(model.config)
        return component_class._from_config(config)
    try:
        return component_class._from_config_past_version(model.config, version)
    except NotImplementedError as error:
        raise ComponentVersionError(
            f"{model.provider} is on version {current} and cannot read a config of version "
            f"{version}: _from_config_past_version is not implemented"
        ) from error
