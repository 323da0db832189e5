"""The two directions of a component, and the schema of its config."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any, ClassVar, Generic

from pydantic import BaseModel
from typing_extensions import Self, TypeVar

from ferrogen.components.faults import Fault
from ferrogen.components.model import ComponentModel, ComponentType, first_paragraph
from ferrogen.components.providers import provider_of
from ferrogen.components.secrets import put_references
from ferrogen.exceptions import ComponentDefinitionError, ComponentTypeError

ConfigT = TypeVar("ConfigT", bound=BaseModel)
FromConfigT = TypeVar("FromConfigT", bound=BaseModel, contravariant=True)  # noqa: PLC0105 - upstream's
ToConfigT = TypeVar("ToConfigT", bound=BaseModel, covariant=True)  # noqa: PLC0105 - upstream's


class ComponentFromConfig(Generic[FromConfigT]):
    """The half of a component that is made from a config.

    Example:
        ```python
        from ferrogen import ComponentFromConfig, InMemoryStore

        assert issubclass(InMemoryStore, ComponentFromConfig)  # through Component
        ```
    """

    @classmethod
    def _from_config(cls, config: FromConfigT) -> Self:
        """Make a component from its config, validated.

        Raises:
            NotImplementedError: The class does not define it.
        """
        raise NotImplementedError(f"{cls.__name__} cannot be loaded: define _from_config")

    @classmethod
    def _from_config_past_version(cls, config: dict[str, Any], version: int) -> Self:
        """Make a component from a config of an earlier version, as it was written.

        Args:
            config: The config, not validated, since its schema is gone; secrets that it refers to
                are ``SecretStr`` objects.
            version: The version it has, lower than ``component_version``.

        Raises:
            NotImplementedError: The class does not define it.
        """
        raise NotImplementedError(
            f"{cls.__name__} cannot be loaded from past versions: define _from_config_past_version"
        )

    @classmethod
    def _faults_of_config(cls, config: dict[str, Any]) -> Iterable[Fault]:
        """Return what `_from_config` would refuse of a config, beyond what its schema refuses.

        The dry run asks. Nothing may be made of the config, nor run.

        Args:
            config: The config as it was written, which need not fit the schema.

        Returns:
            The faults, each with its place within the config.
        """
        return ()


class ComponentToConfig(Generic[ToConfigT]):
    """The half of a component that writes its config.

    Example:
        ```python
        from typing import Any

        from ferrogen import ComponentToConfig, InMemoryStore

        store: ComponentToConfig[Any] = InMemoryStore()
        assert store.dump_component().provider == "autogen_core.InMemoryStore"
        ```
    """

    component_type: ClassVar[ComponentType]
    """The kind of component, such as ``"tool"``."""
    component_version: ClassVar[int] = 1
    """The version of the config; raise it when the schema changes incompatibly."""
    component_provider_override: ClassVar[str | None] = None
    """The provider string to write, when the class is public under another path than its own."""
    component_description: ClassVar[str | None] = None
    """The description to write; by default the first paragraph of the class's docstring."""
    component_label: ClassVar[str | None] = None
    """The label to write; by default the name of the class."""

    def _to_config(self) -> ToConfigT:
        """Write the config from which ``_from_config`` makes an equal component.

        Raises:
            NotImplementedError: The class does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} cannot be dumped: define _to_config")

    def dump_component(self) -> ComponentModel:
        """Write this component down, so that `ComponentLoader.load_component` makes it again.

        Secrets that it got from environment variables are written as references to those.

        Raises:
            ComponentTypeError: The class is local to a function and cannot be found again.
            ComponentDefinitionError: The class has no ``component_type``.
        """
        own = type(self)
        provider = self.component_provider_override
        if provider is None:
            provider = provider_of(own)
            if "._" in provider:
                warnings.warn(
                    f"Internal module name used in provider string {provider!r}; set "
                    "component_provider_override to the path that stays",
                    stacklevel=2,
                )
        if "<locals>" in provider:
            raise ComponentTypeError(
                f"component of local class {own.__qualname__} cannot be dumped: "
                "define it at the top of a module"
            )
        description = self.component_description
        kind = getattr(self, "component_type", None)
        if kind is None:
            raise ComponentDefinitionError(f"component_type not defined by {own.__name__}")
        return ComponentModel(
            provider=provider,
            component_type=kind,
            version=self.component_version,
            component_version=self.component_version,
            description=first_paragraph(own) if description is None else description,
            label=self.component_label or own.__name__,
            config=put_references(self, self._to_config().model_dump(exclude_none=True)),
        )


class ComponentSchemaType(Generic[ConfigT]):
    """The part of a component that says which pydantic model its config is.

    Example:
        ```python
        from ferrogen import InMemoryStore

        schema = InMemoryStore.component_config_schema.model_json_schema()
        assert schema["type"] == "object"
        ```
    """

    component_config_schema: type[ConfigT]
    """The pydantic model of the config."""

    required_class_vars = ["component_config_schema", "component_type"]  # noqa: RUF012 - upstream's

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if cls.__module__.rpartition(".")[0] == __package__:
            return  # an interface of ours; the classes of users give the values
        for name in cls.required_class_vars:
            if not hasattr(cls, name):
                warnings.warn(
                    f"Class variable '{name}' must be defined in {cls.__name__}, "
                    "or it cannot be dumped and loaded",
                    stacklevel=2,
                )
