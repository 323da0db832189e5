"""Agent metadata owns what may be known of an agent without talking to it."""

from typing import TypedDict


class AgentMetadata(TypedDict):
    """What may be known of an agent without talking to it.

    Example:
        ```python
        from ferrogen import AgentMetadata

        metadata = AgentMetadata(type="clerk", key="shop-7", description="takes orders")
        ```
    """

    type: str
    key: str
    description: str
