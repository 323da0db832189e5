"""The decorator that makes a tool of a function."""

from collections.abc import Callable, Sequence
from typing import Any, overload

from typing_extensions import Unpack

from ferrogen.code_executor.requirements import Import
from ferrogen.tools.call_policy import CallOptions
from ferrogen.tools.function_tool import FunctionTool
from ferrogen.tools.source_text import leave_out_of_source


@overload
def tool(func: Callable[..., Any], /) -> FunctionTool: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    global_imports: Sequence[Import] = ...,
    strict: bool = ...,
    **limits: Unpack[CallOptions],
) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def tool(
    func: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    description: str | None = None,
    global_imports: Sequence[Import] = (),
    strict: bool = False,
    **limits: Unpack[CallOptions],
) -> FunctionTool | Callable[[Callable[..., Any]], FunctionTool]:
    '''Make a `FunctionTool` of a function, as ``@tool`` or ``@tool(...)``.

    Args:
        func: The function.
        name: The name of the tool; by default the function's.
        description: The description for the model; by default the docstring's, which then
            describes the parameters, too.
        global_imports: The imports that the function needs, for its config.
        strict: Whether the model service is asked to keep to the schema.
        **limits: As those of `FunctionTool`: ``timeout``, ``retries``, ``retry_delay``,
            ``concurrency``, ``cache`` and ``isolation``.

    Raises:
        ToolSchemaError: A parameter cannot be described to a model, or there is no description.

    Example:
        ```python
        import asyncio

        from ferrogen.tools import tool


        @tool
        def order_total(price: float, pieces: int = 1) -> float:
            """Compute the total of an order.

            :param price: The price of one piece, in euros.
            :param pieces: The number of pieces.
            """
            return price * pieces


        assert order_total.description == "Compute the total of an order."
        properties = order_total.schema["parameters"]["properties"]
        assert properties["pieces"]["description"] == "The number of pieces."
        assert asyncio.run(order_total.run_json({"price": 1.5, "pieces": 4})) == 6.0


        @tool(name="shout", description="Write a text in capital letters.")
        async def capitals(text: str) -> str:
            return text.upper()


        assert asyncio.run(capitals.run_json({"text": "hello"})) == "HELLO"
        ```
    '''

    def make(function: Callable[..., Any]) -> FunctionTool:
        return FunctionTool(function, description, name, list(global_imports), strict, **limits)

    return make if func is None else make(func)


leave_out_of_source(tool)
