"""A fault that a dry run finds in a config."""

from dataclasses import dataclass
from typing import Literal

FaultKind = Literal["shape", "provider", "untrusted", "type", "version", "config", "secret"]


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong with the config of a component.

    Example:
        ```python
        from ferrogen.components import check_component

        [fault] = check_component({"provider": "autogen_core.NoSuchStore", "config": {}})
        assert (fault.place, fault.kind) == ("provider", "provider")
        ```
    """

    __module__ = "ferrogen.components"

    place: str
    """Where it is, such as ``config.participants[0].config.name``; empty for the whole."""

    kind: FaultKind
    """The kind: the ``shape`` of the whole (it is not a dumped component), the ``provider``
    (it does not lead to a component class), its namespace or code (``untrusted``), the ``type`` or
    the ``version`` of the component, its ``config``, or a ``secret``."""

    message: str
    """The fault, in words."""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message
