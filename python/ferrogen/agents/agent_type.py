"""The agent type, under which a factory is registered, and the metadata of agents."""

from dataclasses import dataclass
from typing import TypedDict


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


class AgentMetadata(TypedDict):
    """The type, key and description of an agent.

    Example:
        ```python
        from ferrogen import AgentMetadata

        metadata = AgentMetadata(type="clerk", key="shop-7", description="takes orders")
        ```
    """

    type: str
    key: str
    description: str
