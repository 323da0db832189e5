"""Agent metadata."""

from typing import TypedDict


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
