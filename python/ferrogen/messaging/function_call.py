"""A model's request to call a tool."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic_core import CoreSchema

_DATA = "provider_data"


@dataclass
class FunctionCall:
    """A model's request to call a function.

    Some services require data of theirs back with a call, such as signed reasoning. Model clients
    set it as `provider_data`. It is not part of the comparison, the representation or the
    arguments of the class, and is written into JSON only if it is set.

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

    @property
    def provider_data(self) -> Mapping[str, Any] | None:
        """JSON values that the service of the model requires back with this call."""
        data: Mapping[str, Any] | None = vars(self).get("_provider_data")
        return data

    @provider_data.setter
    def provider_data(self, data: Mapping[str, Any] | None) -> None:
        vars(self)["_provider_data"] = data

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: type[Any], handler: "Callable[[type[Any]], CoreSchema]"
    ) -> "CoreSchema":
        """Describe to pydantic how calls are validated and written."""
        from pydantic_core import core_schema

        schema = handler(source)
        return core_schema.no_info_wrap_validator_function(
            _validated,
            schema,
            serialization=core_schema.wrap_serializer_function_ser_schema(_written, schema=schema),
        )


def _validated(value: Any, handler: Callable[[Any], FunctionCall]) -> FunctionCall:
    call = handler(value)
    if isinstance(value, dict) and isinstance(data := value.get(_DATA), dict):
        call.provider_data = data
    return call


def _written(call: Any, handler: Callable[[Any], Any]) -> Any:
    written = handler(call)
    data = vars(call).get("_provider_data") if isinstance(call, FunctionCall) else None
    if data is not None and isinstance(written, dict):
        written[_DATA] = data
    return written
