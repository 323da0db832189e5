"""The config of a component as data: what `dump_component` writes and `load_component` reads."""

from typing import Any, Literal

from pydantic import BaseModel

KnownComponentType = Literal["model", "agent", "tool", "termination", "token_provider", "workbench"]
ComponentType = KnownComponentType | str
"""The kind of a component: one that AutoGen has a word for, or any other."""


class ComponentModel(BaseModel):
    """The dump of a component: its class and its config, by which it can be created again.

    Example:
        ```python
        from ferrogen import CacheStore, ComponentModel

        store: CacheStore[int] = CacheStore.load_component(
            ComponentModel(provider="autogen_core.InMemoryStore", config={})
        )
        store.set("answer", 42)
        assert store.get("answer") == 42
        ```
    """

    __module__ = "ferrogen"

    provider: str
    """The dotted path of the class, or one of the well-known short names."""

    component_type: ComponentType | None = None
    """The kind of component; by default that of its class."""

    version: int | None = None
    """The version of this model's own layout."""

    component_version: int | None = None
    """The version of ``config``; by default the one that the class has now."""

    description: str | None = None
    """A description of the component."""

    label: str | None = None
    """A name to show; by default that of the class."""

    config: dict[str, Any]
    """The component's own part, as its ``component_config_schema`` describes it."""


def first_paragraph(documented: type) -> str | None:
    """Return what a class says of itself at the beginning of its docstring."""
    return (
        str(documented.__doc__).strip().partition("\n\n")[0].strip() if documented.__doc__ else None
    )
