"""The base of tools: arguments checked by pydantic, a span and an event for each call."""

import asyncio
import functools
import inspect
import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from ferrogen._core import CancellationToken
from ferrogen.components.component import ComponentBase
from ferrogen.exceptions import ToolCancelledError
from ferrogen.logging import ToolCallEvent
from ferrogen.telemetry.genai import trace_tool_span
from ferrogen.telemetry.names import EVENT_LOGGER_NAME
from ferrogen.tools.argument_errors import validated
from ferrogen.tools.cancellation import is_being_cancelled
from ferrogen.tools.context import ToolContext, context_parameter
from ferrogen.tools.function_signature import normalize_annotated_type
from ferrogen.tools.guarding import scopes
from ferrogen.tools.guarding.wrapping import guarded_run
from ferrogen.tools.jsonable import jsonable
from ferrogen.tools.protocol import Tool
from ferrogen.tools.results import sendable
from ferrogen.tools.schema import ToolSchema, parameters_of

if TYPE_CHECKING:
    from ferrogen.tools.guarding.guard import Guard
    from ferrogen.tools.guarding.passing import GuardedCall

ArgsT = TypeVar("ArgsT", bound=BaseModel, contravariant=True)  # noqa: PLC0105 - upstream's name
ReturnT = TypeVar("ReturnT", covariant=True)  # noqa: PLC0105 - upstream's name

_events = logging.getLogger(EVENT_LOGGER_NAME)


class BaseTool(ABC, Tool, Generic[ArgsT, ReturnT], ComponentBase[BaseModel]):
    """The base of tools whose arguments are a pydantic model.

    Args:
        args_type: The model of the arguments.
        return_type: The type of the results.
        name: The name for the model.
        description: The description for the model.
        strict: Whether the model service is asked to keep to the schema.

    Example:
        ```python
        import asyncio

        from pydantic import BaseModel

        from ferrogen import CancellationToken
        from ferrogen.tools import BaseTool


        class Product(BaseModel):
            price: float
            pieces: int


        class Total(BaseTool[Product, float]):
            def __init__(self) -> None:
                super().__init__(Product, float, "total", "Computes the price of an order.")

            async def run(self, args: Product, cancellation_token: CancellationToken) -> float:
                return args.price * args.pieces


        order = {"price": 1.5, "pieces": 4}
        assert asyncio.run(Total().run_json(order, CancellationToken())) == 6.0
        ```
    """

    __module__ = "ferrogen.tools"

    component_type = "tool"

    _tool_guards: "tuple[Guard, ...]" = ()

    def __init_subclass__(cls, **options: Any) -> None:
        """Let the calls of a ``run_json`` of its own pass the guards, in every subclass."""
        super().__init_subclass__(**options)
        own = vars(cls).get("run_json")
        if inspect.iscoroutinefunction(own):
            cls.run_json = guarded_run(own)  # type: ignore[method-assign]

    def __init__(
        self,
        args_type: type[ArgsT],
        return_type: type[ReturnT],
        name: str,
        description: str,
        strict: bool = False,
    ) -> None:
        self._args_type = args_type
        self._return_type: Any = normalize_annotated_type(return_type)
        self._name = name
        self._description = description
        self._strict = strict

    @property
    def schema(self) -> ToolSchema:
        """Name, description and parameters, for the model.

        Raises:
            ToolSchemaError: The arguments do not fit strict mode, or contain themselves.
        """
        return ToolSchema(
            name=self._name,
            description=self._description,
            parameters=parameters_of(self._args_type, self._strict),
            strict=self._strict,
        )

    @property
    def name(self) -> str:
        """The name for the model."""
        return self._name

    @property
    def description(self) -> str:
        """The description for the model."""
        return self._description

    def args_type(self) -> type[BaseModel]:
        """Return the model of its arguments."""
        return self._args_type

    def return_type(self) -> type[Any]:
        """Return the type of its results, without what ``Annotated`` adds."""
        declared: type[Any] = self._return_type
        return declared

    def state_type(self) -> type[BaseModel] | None:
        """Return the model of its state: none, unless a subclass says otherwise."""
        return None

    def return_value_as_string(self, value: Any) -> str:
        """Return a result as text for the model: JSON of pydantic models, else ``str``."""
        dumped: object = value.model_dump() if isinstance(value, BaseModel) else value
        if dumped is value or not isinstance(dumped, dict):  # a RootModel's may be anything
            text = str(dumped)
        else:
            text = json.dumps(dumped, default=to_jsonable_python, ensure_ascii=False)
        return sendable(text)

    @abstractmethod
    async def run(self, args: ArgsT, cancellation_token: CancellationToken) -> ReturnT:
        """Do what the tool is for.

        An implementation can have one more parameter, annotated as a `ToolContext`.

        Args:
            args: The arguments, checked.
            cancellation_token: Cancelled when the result is not needed any more.
        """

    async def run_json(
        self,
        args: Mapping[str, Any],
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> Any:
        """Validate the arguments and run the tool, in a span; a successful run is logged.

        Args:
            args: The arguments by name, as decoded from JSON.
            cancellation_token: Passed to `run`; by default a new one.
            call_id: The id that the model gave to the call, for the span.

        Returns:
            The return value of `run`.

        Raises:
            ToolArgumentsError: The arguments do not fit (it is a ``pydantic.ValidationError``).
            ToolRefusedError: A `Guard` did not let the call pass.
            ToolCancelledError: The tool was cancelled by itself, not by the token or the caller
                (on CPython 3.10: ``asyncio.CancelledError``, unless the tool is a function).
        """
        token = CancellationToken() if cancellation_token is None else cancellation_token
        call = self._guarded(args, token, call_id) if scopes.in_use else None
        if call is None:
            return await self._traced(args, token, call_id)
        return await call.run(lambda changed: self._traced(changed, token, call_id))

    def _guarded(
        self, args: Mapping[str, Any], token: CancellationToken, call_id: str | None
    ) -> "GuardedCall | None":
        """Return the call with its guards, if it has to pass some."""
        from ferrogen.tools.guarding.passing import guarded_call

        def check(changes: Mapping[str, Any]) -> Mapping[str, Any]:
            return self._shown(validated(self._args_type, {**args, **changes} if changes else args))

        return guarded_call(self._tool_guards, self._name, call_id, token, args, check)

    def _shown(self, args: BaseModel) -> dict[str, Any]:
        """Return validated arguments as the rules of guards see them."""
        return jsonable(args)

    async def _traced(
        self, args: Mapping[str, Any], token: CancellationToken, call_id: str | None
    ) -> Any:
        """Validate the arguments and run the tool, in a span."""
        with trace_tool_span(self._name, tool_description=self._description, tool_call_id=call_id):
            try:
                value = await self._invoke(validated(self._args_type, args), token, call_id)
            except asyncio.CancelledError as error:
                if token.is_cancelled() or is_being_cancelled():
                    raise
                raise ToolCancelledError("the call was cancelled: by the tool itself") from error
        self._log_call(args, value)
        return value

    async def _invoke(self, args: Any, token: CancellationToken, call_id: str | None) -> Any:
        """Call `run`, with the context of the call if it has a parameter for that."""
        parameter = _context_parameter(type(self))
        if parameter is None:
            return await self.run(args, token)
        context = ToolContext.of_call(self._name, call_id, token, None)
        try:
            return await self.run(args, token, **{parameter: context})
        except asyncio.CancelledError:
            context.give_up()
            raise

    async def save_state_json(self) -> Mapping[str, Any]:
        """Return the state, which is empty unless a subclass has one."""
        return {}

    async def load_state_json(self, state: Mapping[str, Any]) -> None:
        """Load a saved state; a tool without state ignores it."""

    def _log_call(self, args: Mapping[str, Any], value: Any) -> None:
        if _events.isEnabledFor(logging.INFO):  # B2
            result = self.return_value_as_string(value)
            _events.info(ToolCallEvent(tool_name=self.name, arguments=dict(args), result=result))


@functools.cache
def _context_parameter(kind: type[BaseTool[Any, Any]]) -> str | None:
    return context_parameter(kind.run)
