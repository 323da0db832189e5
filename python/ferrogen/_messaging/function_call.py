"""The function call owns how a model asks for one of its tools to be run."""

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
    """Ties the result to this call."""

    arguments: str
    """The arguments, as JSON text."""

    name: str
    """The function to call."""
