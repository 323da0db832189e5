"""The calls of one response, made by workbenches side by side."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from ferrogen._core import CancellationToken
from ferrogen.messaging.function_call import FunctionCall
from ferrogen.models.messages import FunctionExecutionResult
from ferrogen.tools.cancellation import end_of
from ferrogen.tools.results import ToolResult, failed
from ferrogen.tools.workbench import Workbench


async def call_tools(
    workbench: Workbench | Sequence[Workbench],
    calls: Sequence[FunctionCall],
    cancellation_token: CancellationToken | None = None,
    *,
    concurrency: int | None = None,
) -> list[FunctionExecutionResult]:
    """Make the calls of one response of a model, side by side.

    A call that fails does not affect the others: its result has ``is_error``. So has that of a
    call with arguments that are not a JSON object, or of an unknown tool.

    Args:
        workbench: Makes the calls; of several ones, each call is made by the first that has the
            tool.
        calls: The calls.
        cancellation_token: Cancels the calls; their results have ``is_error``.
        concurrency: The most calls that run at the same time; by default all.

    Returns:
        The results, in the order of the calls.

    Raises:
        ValueError: ``concurrency`` is not positive.
        asyncio.CancelledError: The caller was cancelled, and so were the calls.

    Example:
        ```python
        import asyncio

        from ferrogen import FunctionCall
        from ferrogen.tool_agent import call_tools
        from ferrogen.tools import StaticWorkbench, tool


        @tool
        async def divide(a: float, b: float) -> float:
            '''Divide two numbers.'''
            return a / b


        async def main() -> None:
            calls = [
                FunctionCall("1", '{"a": 1, "b": 0}', "divide"),
                FunctionCall("2", '{"a": 1, "b": 2}', "divide"),
            ]
            results = await call_tools(StaticWorkbench([divide]), calls)
            assert [result.is_error for result in results] == [True, False]
            assert results[1].content == "0.5"


        asyncio.run(main())
        ```
    """
    if concurrency is not None and concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}; give a number above 0, or None")
    workbenches = [workbench] if isinstance(workbench, Workbench) else list(workbench)
    token = cancellation_token or CancellationToken()
    slots = asyncio.Semaphore(concurrency or max(1, len(calls)))
    owners = await _owners(workbenches) if len(workbenches) != 1 else None

    async def make(call: FunctionCall) -> FunctionExecutionResult:
        async with slots:
            owner = workbenches[0] if owners is None else owners.get(call.name)
            result = await _result(owner, call, token)
        return FunctionExecutionResult(
            content=result.to_text(), call_id=call.id, is_error=result.is_error, name=call.name
        )

    tasks = [asyncio.ensure_future(make(call)) for call in calls]
    try:
        return list(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        for task in tasks:
            await end_of(task)
        raise


async def _owners(workbenches: list[Workbench]) -> dict[str, Workbench]:
    owners: dict[str, Workbench] = {}
    for workbench in workbenches:
        for schema in await workbench.list_tools():
            owners.setdefault(schema["name"], workbench)
    return owners


async def _result(
    workbench: Workbench | None, call: FunctionCall, token: CancellationToken
) -> ToolResult:
    try:
        arguments: Any = json.loads(call.arguments or "{}")
        if not isinstance(arguments, Mapping):
            raise TypeError(f"the arguments are not a JSON object: {call.arguments}")
        if workbench is None:
            raise LookupError(f"there is no tool {call.name}")
        return await workbench.call_tool(call.name, arguments, token, call.id)
    except Exception as error:  # noqa: BLE001 - the model gets it
        return failed(call.name, error)
