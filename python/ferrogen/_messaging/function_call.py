"""A model's request to call a tool."""

from dataclasses import dataclass


@dataclass
class FunctionCall:
    """A model's request to call a function.

    Example:
        ```python
        import json

        from ferrogen import FunctionCall

        call = FunctionCall(id="call-1", arguments='{"city": "Turin"}', name="weather")
        assert json.loads(call.arguments)["city"] == "Turin"
        ```
    """

    # The public path is what pickles and configs store.
    __module__ = "ferrogen"

    id: str
    """The call id, which its result refers to."""

    arguments: str
    """The arguments, as JSON text."""

    name: str
    """The function to call."""
