"""The agent type owns the name under which agents of one kind are registered."""

from dataclasses import dataclass


@dataclass(eq=True, frozen=True)
class AgentType:
    """The name of a kind of agent, as a registration returns it.

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
