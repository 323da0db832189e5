"""Base classes of components, and the check for component classes."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, Generic, TypeGuard

from pydantic import BaseModel

from ferrogen.components.config import (
    ComponentFromConfig,
    ComponentSchemaType,
    ComponentToConfig,
    ConfigT,
)
from ferrogen.components.loader import COMPONENT_PARTS, ComponentLoader, has_component_parts


class ComponentBase(ComponentToConfig[ConfigT], ComponentLoader, Generic[ConfigT]):
    """The base of an interface whose implementations are components, such as `CacheStore`.

    Example:
        ```python
        from abc import ABC, abstractmethod

        from ferrogen import ComponentBase
        from pydantic import BaseModel


        class Clock(ABC, ComponentBase[BaseModel]):
            component_type = "clock"

            @abstractmethod
            def now(self) -> float: ...
        ```
    """


class Component(ComponentFromConfig[ConfigT], ComponentSchemaType[ConfigT], Generic[ConfigT]):
    """The base of a class that can be dumped and loaded, beside `ComponentBase`.

    Example:
        ```python
        from ferrogen import Component, ComponentBase
        from pydantic import BaseModel


        class GreeterConfig(BaseModel):
            greeting: str


        class Greeter(ComponentBase[GreeterConfig], Component[GreeterConfig]):
            component_type = "greeter"
            component_config_schema = GreeterConfig

            def __init__(self, greeting: str):
                self.greeting = greeting

            def _to_config(self) -> GreeterConfig:
                return GreeterConfig(greeting=self.greeting)

            @classmethod
            def _from_config(cls, config: GreeterConfig) -> "Greeter":
                return cls(config.greeting)


        assert Greeter("hello").dump_component().config == {"greeting": "hello"}
        ```
    """

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        if not is_component_class(cls):
            warnings.warn(
                f"{cls.__name__} cannot be dumped and loaded: derive it from ComponentBase, too",
                stacklevel=2,
            )


if TYPE_CHECKING:

    class _ConcreteComponent(ComponentBase[ConfigT], Component[ConfigT], Generic[ConfigT]):
        """A class that has all the parts, for the type guards below."""


def is_component_instance(cls: Any) -> TypeGuard[_ConcreteComponent[BaseModel]]:
    """Return whether an object is one that can be dumped and loaded."""
    return all(isinstance(cls, part) for part in COMPONENT_PARTS)


def is_component_class(cls: type) -> TypeGuard[type[_ConcreteComponent[BaseModel]]]:
    """Return whether a class is one whose objects can be dumped and loaded.

    A value that is not a class is not one either.
    """
    return has_component_parts(cls)
