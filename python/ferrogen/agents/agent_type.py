"""The agent type: the name that a factory is registered under."""

from dataclasses import dataclass


@dataclass(eq=True, frozen=True)
class AgentType:
    """The name of an agent type, as returned by a registration.

    Example:
        ```python
        from ferrogen import AgentId, AgentType

        assert AgentId(AgentType("clerk"), "shop-7") == AgentId("clerk", "shop-7")
        ```
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    type: str
    """The name itself."""
